/**
 * What a replica does as far as telemetry sees it: calls that run operations through the real pipeline, whose stages
 * talk to a real Redis. A process of its own, since OpenTelemetry is registered once and before everything else.
 * Prints one line of JSON when it is done.
 */
import { subscribe } from "node:diagnostics_channel";
import type { Socket } from "node:net";
import { Redis } from "ioredis";
import { LockFencedError } from "../../services/errors/index.js";
import { operationId } from "../../services/model/operation.js";
import type { Operation } from "../../services/model/operation-request.js";
import type { FilePath } from "../../services/model/path.js";
import type { Receipt } from "../../services/model/receipt.js";
import type { OperationRecord } from "../../services/model/record.js";
import { Pipeline, type Stages } from "../../services/pipeline/pipeline.js";
import { EarlierOutcome } from "../../services/protocol/earlier-outcome.js";
import { observer } from "../../services/telemetry/observer.js";
import { shutdownTelemetry } from "../../services/telemetry/register.js";
import { currentTraceId, inject, traced } from "../../services/telemetry/rpc.js";

export interface Report {
  readonly calls: readonly {
    readonly traceId: string;
    readonly inside: readonly string[];
    readonly handedOn: string;
  }[];
  /** Ports that the process connected to. */
  readonly ports: readonly number[];
  /** Sentences of the errors that Redis and the stages gave, so that a test knows what they could have leaked. */
  readonly sentences: readonly string[];
  readonly idle: string;
}

const { REDIS_URL = "", TRACEPARENT, SECRET_PATH = "a/b", SECRET_BYTES = "bytes" } = process.env;
const scenarios = process.argv.slice(2).filter((word) => word !== SECRET_PATH);

const ports = new Set<number>();
subscribe("net.client.socket", (message) => {
  const { socket } = message as { socket: Socket };
  socket.once("connect", () => ports.add(socket.remotePort ?? 0));
});

const sentences: string[] = [];
const redis = new Redis(REDIS_URL);
const bytes = Buffer.from(SECRET_BYTES);
const path = SECRET_PATH as FilePath;
const content = {
  sha256: bytes,
  sizeBytes: bytes.length,
  mode: 0o644,
  owner: { uid: 0, gid: 0 },
  xattrs: {},
  body: { inline: bytes },
};

function operation(sequence: number): Operation {
  return {
    id: operationId("01JZZZZZZZZZZZZZZZZZZZZZZZ" as never, sequence),
    isRepeatable: false,
    requestId: `request-${sequence}`,
    requestSha256: bytes,
    intents: [
      {
        path,
        kind: "WRITE",
        source: { from: "bytes", bytes, sha256: bytes },
        mode: undefined,
        precondition: { etag: undefined, ifRevision: undefined },
      },
    ],
    checks: [],
    validateOnly: false,
    lockWaitMs: 0,
    priority: 0,
    labels: { secret: SECRET_PATH },
    traceId: currentTraceId(),
    signal: new AbortController().signal,
  };
}

function recordOf({ id, requestId, requestSha256, labels, traceId }: Operation): OperationRecord {
  const base = {
    epoch: 1,
    baseOperation: id,
    baseRevision: 3,
    backupRevision: 3,
    directoryMode: 0,
    external: undefined,
    createOnly: false,
  };
  const change = { ...base, path, kind: "WRITE" as const, revision: 4, content, inode: 1n, mtimeNs: 1n };
  const changes = [{ ...change, sourceRevision: 0 }];
  return { operation: id, requestId, requestSha256, timeMs: 0, changes, labels, traceId };
}

const receiptOf = (record: OperationRecord): Receipt => ({
  operation: record.operation,
  requestId: record.requestId,
  record,
  replayed: false,
});

/** Stages with the order of the real ones and a Redis command where those have one. */
function stages(scenario: string, inside: string[]): Stages {
  let current!: Operation;
  return {
    async validate(asked) {
      current = asked;
      inside.push(currentTraceId());
      await redis.get(`meta:${path}`);
      if (scenario === "replay") throw new EarlierOutcome(recordOf(asked));
      return {} as never;
    },
    async lock() {
      await redis.set(`lease:${path}`, SECRET_BYTES);
      await redis.eval("return redis.call('get', KEYS[1])", 1, `lease:${path}`);
      return { async [Symbol.asyncDispose]() {} } as never;
    },
    async backup() {
      return {} as never;
    },
    async execute() {
      if (scenario !== "quoting") return {} as never;
      // Redis quotes the arguments of a command that it does not know.
      await redis.call("SAFEFILE.UNKNOWN", path, SECRET_BYTES).catch((error: Error) => sentences.push(error.message));
      return {} as never;
    },
    async verify() {
      return {} as never;
    },
    async commit() {
      if (scenario === "fenced") throw new LockFencedError({ path, operationId: current.id });
      await redis.multi().set(`head:${path}`, SECRET_BYTES).get(`head:${path}`).exec();
      inside.push(currentTraceId());
      return receiptOf(recordOf(current));
    },
    async recover(_plan, _lease, failure) {
      throw failure;
    },
  };
}

async function call(scenario: string, sequence: number): Promise<Report["calls"][number]> {
  const inside: string[] = [];
  let traceId = "";
  let handedOn = "";
  const rpc = { service: "safefile.v1.FileOpsService", method: scenario === "read" ? "StatFile" : "WriteFile" };
  const carrier = { get: (key: string) => (key === "traceparent" ? TRACEPARENT : undefined) };
  const done = traced(carrier, rpc, async (span) => {
    traceId = span.traceId;
    inject((key, value) => {
      if (key === "traceparent") handedOn = value;
    });
    if (scenario === "read") return void (await redis.get(`meta:${path}`));
    const pipeline = new Pipeline(stages(scenario, inside), observer, 1);
    const { receipt } = await pipeline.run(operation(sequence));
    span.set({ "safefile.operation.id": receipt.operation });
  });
  await done.catch((error: Error) => sentences.push(error.message));
  return { traceId, inside, handedOn };
}

const calls: Report["calls"][number][] = [];
for (const [at, scenario] of scenarios.entries()) calls.push(await call(scenario, at + 1));
await redis.ping(); // outside a call: no span
await redis.quit();
await shutdownTelemetry();
process.stdout.write(
  `${JSON.stringify({ calls, ports: [...ports], sentences, idle: currentTraceId() } satisfies Report)}\n`,
);
