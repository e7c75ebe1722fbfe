/** A replica's core in this process, without its gRPC edge, over a volume that a test may tamper with. */
import "./faults.js";

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { TestContext } from "node:test";
import { type Config, schema } from "../../services/config.js";
import { buildEngine } from "../../services/engine.js";
import { SafeOperationError } from "../../services/errors/index.js";
import { Index } from "../../services/index/index.js";
import { Leases } from "../../services/lock/leases.js";
import type { Check, Intent, Precondition, Source } from "../../services/model/operation-request.js";
import type { FilePath } from "../../services/model/path.js";
import type { Receipt } from "../../services/model/receipt.js";
import { beginOperation } from "../../services/pipeline/begin.js";
import type { Observer } from "../../services/pipeline/pipeline.js";
import { openFormat } from "../../services/protocol/format.js";
import { isAlone } from "../../services/protocol/incarnation.js";
import { PosixVolume } from "../../services/volume/posix.js";
import { thisHost } from "../../services/volume/process.js";
import { oneByOne, type Volume } from "../../services/volume/volume.js";
import { Cleanup } from "../cluster/cleanup.js";
import { type Redis, startRedis } from "../cluster/redis.js";
import { tempVolume } from "../cluster/volume.js";

/** What to do instead of a call to the volume; the first argument is the real one. */
export type Tamper = {
  [K in keyof Volume]?: Volume[K] extends (...args: infer A) => infer R ? (real: Volume, ...args: A) => R : never;
};

export function tampered(real: Volume, tamper: Tamper, bootId = real.bootId): Volume {
  return new Proxy(real, {
    get(target, key) {
      if (key === "bootId") return bootId;
      // A call may be made later, or by other calls, here.
      if (key === "inOrder") return oneByOne;
      const own: unknown = Reflect.get(tamper, key);
      if (typeof own === "function") return (...args: unknown[]) => own(real, ...args);
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

export const ioError = (code: string): Error => Object.assign(new Error(code), { code });

export interface CoreOptions {
  readonly tamper?: Tamper;
  /** Which start of the host it believes to be in. */
  readonly bootId?: string;
  /** How long an incarnation must be silent to count as dead. */
  readonly deadMs?: number;
  /** Settings other than the defaults. */
  readonly config?: Partial<Config>;
  /** Where its index is; that of the world unless given. */
  readonly indexUrl?: string;
  /** Where its lock server is; that of the world unless given. */
  readonly lockUrl?: string;
}

const NO_PRECONDITION: Precondition = { etag: undefined, ifRevision: undefined };
const NEVER = new AbortController().signal;

/** What is to be done to one path. */
export function toWrite(path: string, content: string | Buffer, precondition: Partial<Precondition> = {}): Intent {
  const bytes = Buffer.from(content as string);
  const source = { from: "bytes" as const, bytes, sha256: createHash("sha256").update(bytes).digest() };
  const plain = { path: path as FilePath, kind: "WRITE" as const, mode: undefined };
  return { ...plain, source, precondition: { ...NO_PRECONDITION, ...precondition } };
}
export const toRemove = (path: string, kind: "DELETE" | "REMOVE_DIRECTORY" = "DELETE"): Intent => ({
  path: path as FilePath,
  kind,
  mode: undefined,
  source: undefined,
  precondition: NO_PRECONDITION,
});

export type Core = Awaited<ReturnType<typeof startCore>>;

async function startCore(root: string, redisUrl: string, options: CoreOptions) {
  const { deadMs = 600_000 } = options;
  const config: Config = {
    ...schema.parse({}),
    incarnationDeadMs: deadMs,
    journalGrowBytes: 256 * 1024,
    ...options.config,
  };
  /** Why this replica would have left: a flush or close that failed. */
  const left: unknown[] = [];
  /** What was only logged. */
  const logged: unknown[] = [];
  const leave = (error: unknown): unknown => left.push(error);
  const log = (error: unknown): unknown => logged.push(error);
  const real = await PosixVolume.open(root, "local", leave);
  const volume = tampered(real, options.tamper ?? {}, options.bootId);
  const { volumeId } = await openFormat(volume);
  const limits = { ...config, commandTimeoutMs: 5000 };
  const index = new Index(options.indexUrl ?? redisUrl, volumeId, limits, log);
  const leases = new Leases(
    [options.lockUrl ?? redisUrl],
    volumeId,
    { ...config, leaseMs: 5000, commandTimeoutMs: 1000, wakeUpMsMax: 50 },
    { isNothingGranted: () => isAlone(volume, leases.incarnation), restore: async () => undefined },
    log,
  );
  const observer: Observer = { stage: (_stage, _operation, call) => call() };
  const told = {
    leave,
    warn: (_what: string, error: unknown) => log(error),
    stuck: (_dead: string, error: unknown) => log(error),
  };
  const host = thisHost(volume.bootId);
  const engine = await buildEngine({ volume, host, index, leases, observer }, config, told);
  const { incarnation, pipeline, announcer, rebuild, writer } = engine;
  await index.connected();
  await leases.voting();
  await rebuild.runIfMissing();

  const changeAll = async (intents: readonly Intent[], requestId = "", checks: readonly Check[] = []) => {
    const wanted = { validateOnly: false, lockWaitMs: 5000, priority: 0, labels: {}, traceId: "", signal: NEVER };
    return (await pipeline.run(beginOperation(incarnation, { ...wanted, intents, checks, requestId }))).receipt;
  };
  const change = (intent: Intent, requestId: string): Promise<Receipt> => changeAll([intent], requestId);
  const write = (
    path: string,
    content: string | Buffer,
    requestId = "",
    precondition: Partial<Precondition> = {},
    upload?: Source,
  ) => {
    const intent = toWrite(path, content, precondition);
    return change({ ...intent, source: upload ?? intent.source }, requestId);
  };
  const remove = (path: string, requestId = "") => change(toRemove(path), requestId);
  /** Until Redis knows what was committed so far. */
  const announced = () => announcer.settled(AbortSignal.timeout(5000));
  const close = async (): Promise<void> => {
    await announced();
    leases.close();
    index.close();
    await writer.close();
    await real.close();
  };
  return { ...engine, volumeId, changeAll, write, remove, announced, close, left, logged };
}

/** One volume and one Redis that cores share. */
export class World {
  private constructor(
    readonly cleanup: Cleanup,
    readonly root: string,
    readonly redis: Redis,
  ) {}

  static async start(t: TestContext): Promise<World> {
    const cleanup = Cleanup.of(t);
    return new World(cleanup, await tempVolume(cleanup), await startRedis({ cleanup }));
  }

  /** The same with another directory: a copy of the volume, say. */
  on(root: string): World {
    return new World(this.cleanup, root, this.redis);
  }

  async core(options: CoreOptions = {}): Promise<Core> {
    const core = await startCore(this.root, this.redis.url, options);
    this.cleanup.defer(() => core.close());
    return core;
  }
}

/** What a change is refused with; fails when it is not, or not with an error of the catalogue. */
export async function refusal(change: Promise<Receipt>): Promise<SafeOperationError> {
  const failure: unknown = await change.then(
    ({ operation }) => assert.fail(`${operation} was acknowledged`),
    (error: unknown) => error,
  );
  assert(failure instanceof SafeOperationError, `not an error of the catalogue: ${String(failure)}`);
  return failure;
}
