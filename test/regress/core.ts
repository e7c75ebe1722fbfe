/** A replica's core in this process, without its gRPC edge, over a volume that a test may tamper with. */
import "./faults.js";

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { TestContext } from "node:test";
import { Backup } from "../../services/backup/backup.js";
import { Announcer } from "../../services/commit/announcer.js";
import { Commit } from "../../services/commit/commit.js";
import { type Config, schema } from "../../services/config.js";
import { SafeOperationError } from "../../services/errors/index.js";
import { Execute } from "../../services/execute/execute.js";
import { Uploads } from "../../services/execute/uploads.js";
import { Index } from "../../services/index/index.js";
import { Journals } from "../../services/journal/journals.js";
import { JournalWriter } from "../../services/journal/writer.js";
import { Leases } from "../../services/lock/leases.js";
import { Lock } from "../../services/lock/lock.js";
import type { Intent, Operation, Precondition } from "../../services/model/operation-request.js";
import type { FilePath } from "../../services/model/path.js";
import type { Receipt } from "../../services/model/receipt.js";
import { beginOperation } from "../../services/pipeline/begin.js";
import { Pipeline } from "../../services/pipeline/pipeline.js";
import { Attempt } from "../../services/protocol/attempt.js";
import { Batons } from "../../services/protocol/baton.js";
import { openFormat } from "../../services/protocol/format.js";
import { Heads } from "../../services/protocol/heads.js";
import { Incarnation } from "../../services/protocol/incarnation.js";
import { Settler } from "../../services/protocol/settle.js";
import { Files } from "../../services/query/files.js";
import { Revisions } from "../../services/query/revisions.js";
import { Rebuild } from "../../services/recover/rebuild.js";
import { Recover } from "../../services/recover/recover.js";
import { Survivor } from "../../services/recover/survivor.js";
import { Store } from "../../services/store/store.js";
import { Validate } from "../../services/validate/validate.js";
import { Verify } from "../../services/verify/verify.js";
import { PosixVolume } from "../../services/volume/posix.js";
import type { Volume } from "../../services/volume/volume.js";
import { Cleanup } from "../cluster/cleanup.js";
import { type Redis, startRedis } from "../cluster/redis.js";
import { tempVolume } from "../cluster/volume.js";

/** What to do instead of a call to the volume; the first argument is the real one. */
export type Tamper = {
  [K in keyof Volume]?: Volume[K] extends (...args: infer A) => infer R ? (real: Volume, ...args: A) => R : never;
};

export function tampered(real: Volume, tamper: Tamper): Volume {
  return new Proxy(real, {
    get(target, key) {
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
  /** How long an incarnation must be silent to count as dead. */
  readonly deadMs?: number;
  /** Where its index is; that of the world unless given. */
  readonly indexUrl?: string;
}

const NO_PRECONDITION: Precondition = { etag: undefined, ifRevision: undefined };
const NEVER = new AbortController().signal;

export type Core = Awaited<ReturnType<typeof startCore>>;

async function startCore(root: string, redisUrl: string, options: CoreOptions) {
  const config: Config = { ...schema.parse({}), journalGrowBytes: 256 * 1024 };
  /** Why this replica would have left: a flush or close that failed. */
  const left: unknown[] = [];
  /** What was only logged. */
  const logged: unknown[] = [];
  const leave = (error: unknown): unknown => left.push(error);
  const log = (error: unknown): unknown => logged.push(error);
  const real = await PosixVolume.open(root, "local", leave);
  const volume = tampered(real, options.tamper ?? {});
  const { volumeId } = await openFormat(volume);
  const incarnation = await Incarnation.begin(volume);
  const { requestIdKeepMs } = config;
  const index = new Index(options.indexUrl ?? redisUrl, volumeId, { commandTimeoutMs: 5000, requestIdKeepMs }, log);
  const leases = new Leases([redisUrl], volumeId, { leaseMs: 5000, commandTimeoutMs: 1000, wakeUpMsMax: 50 }, log);
  const limits = {
    segmentBytesMax: config.segmentBytesMax,
    growBytes: config.journalGrowBytes,
    reserveBytes: config.journalReserveBytes,
    recordBytesMax: config.recordBytesMax,
  };
  const writer = await JournalWriter.open(volume, incarnation.id, limits, leave);
  const journals = new Journals(volume, incarnation.id, writer, config);
  const batons = new Batons(volume);
  const settler = new Settler(volume, journals);
  const heads = new Heads(volume, journals, 1000);
  const store = new Store(volume);
  const announcer = new Announcer(index, incarnation.id, config.indexBacklogMax, log);
  const validate = new Validate(volume);
  const recover = new Recover(volume, store, log);
  const begin = ({ id, intents }: Operation): Attempt =>
    new Attempt(volume, journals, batons, settler, id, intents.map(partOf), async () => undefined);
  const lock = new Lock(leases, index, begin, recover.run.bind(recover));
  const backup = new Backup(volume, journals, heads, store, config);
  const execute = new Execute(volume, store, config.inlineBytesMax);
  const verify = new Verify();
  const commit = new Commit(journals, heads, announcer);
  const stages = {
    validate: validate.run.bind(validate),
    lock: lock.run.bind(lock),
    backup: backup.run.bind(backup),
    execute: execute.run.bind(execute),
    verify: verify.run.bind(verify),
    commit: commit.run.bind(commit),
    recover: recover.run.bind(recover),
  };
  const pipeline = new Pipeline(stages, { stage: (_stage, _operation, call) => call() }, config.operationsMax);
  const files = new Files(volume, journals, batons, heads);
  const revisions = new Revisions(index, batons, heads, settler, files);
  const rebuild = new Rebuild(index, journals, batons, settler);
  const { deadMs = 600_000 } = options;
  const ownParts = [volume, journals, index, batons, heads, settler, incarnation] as const;
  const survivor = new Survivor(...ownParts, deadMs, (_incarnation, error) => log(error));
  const uploads = new Uploads(volume, incarnation, config);
  await index.connected();
  await leases.connected();
  await rebuild.runIfMissing();

  const change = async (intent: Intent, requestId: string): Promise<Receipt> => {
    const wanted = { validateOnly: false, lockWaitMs: 5000, priority: 0, labels: {}, traceId: "", signal: NEVER };
    return (await pipeline.run(beginOperation(incarnation, { ...wanted, intents: [intent], requestId }))).receipt;
  };
  const write = (path: string, content: string | Buffer, requestId = "", precondition: Partial<Precondition> = {}) => {
    const bytes = Buffer.from(content as string);
    const sha256 = createHash("sha256").update(bytes).digest();
    const intent = { path: path as FilePath, kind: "WRITE" as const, mode: undefined };
    const source = { from: "bytes" as const, bytes, sha256 };
    return change({ ...intent, source, precondition: { ...NO_PRECONDITION, ...precondition } }, requestId);
  };
  const remove = (path: string, requestId = "") => {
    const intent = { path: path as FilePath, kind: "DELETE" as const, mode: undefined, source: undefined };
    return change({ ...intent, precondition: NO_PRECONDITION }, requestId);
  };
  /** Until Redis knows what was committed so far. */
  const announced = () => announcer.settled(AbortSignal.timeout(5000));
  const close = async (): Promise<void> => {
    await announced();
    leases.close();
    index.close();
    await writer.close();
    await real.close();
  };
  const parts = { volume, volumeId, incarnation, index, journals, batons, store, files, revisions, rebuild, survivor };
  return { ...parts, uploads, write, remove, announced, close, left, logged };
}

const partOf = ({ path, kind, source, precondition }: Intent) => ({
  path,
  deletes: kind === "DELETE",
  createOnly: precondition.ifRevision === 0,
  uploadId: source?.from === "upload" ? source.uploadId : undefined,
});

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
