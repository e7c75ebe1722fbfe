import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { context, propagation, ROOT_CONTEXT, SpanKind, trace } from "@opentelemetry/api";
import { isReason } from "@safefile/client";
import { pathHash } from "../../services/model/path.js";
import { Cleanup } from "../cluster/cleanup.js";
import { type OtlpSink, type Span, startOtlpSink } from "../cluster/otlp.js";
import { startRedis } from "../cluster/redis.js";
import { startReplica } from "../cluster/replica.js";
import { tempVolume } from "../cluster/volume.js";
import { connect, type World } from "./world.js";

const STAGES = ["validate", "lock", "backup", "execute", "verify", "commit"];

const cleanup = new Cleanup();
let sink: OtlpSink;
let world: Pick<World, "client" | "raw">;

before(async () => {
  const [volume, redis] = await Promise.all([tempVolume(cleanup), startRedis({ cleanup })]);
  sink = await startOtlpSink({ cleanup });
  // A program with OpenTelemetry of its own, which exports to the same place as the replica.
  for (const [name, value] of Object.entries({ ...sink.env, OTEL_NODE_RESOURCE_DETECTORS: "none" }))
    process.env[name] = value;
  const { NodeSDK } = await import("@opentelemetry/sdk-node");
  const sdk = new NodeSDK({ serviceName: "caller", instrumentations: [] });
  sdk.start();
  cleanup.defer(() => sdk.shutdown());
  const replica = await startReplica({ cleanup, volume, redis: [redis.url], env: { ...sink.env } });
  world = connect(cleanup, replica);
});
after(() => cleanup.end());

/** Runs `act` as one traced piece of work of the caller; returns all spans of its trace, once `name` has ended. */
async function tracedBy<T>(
  act: () => Promise<T>,
  name: string,
): Promise<{ result: T; traceId: string; spans: Span[] }> {
  const tracer = trace.getTracer("caller");
  const { result, traceId } = await tracer.startActiveSpan("work", { kind: SpanKind.CLIENT }, async (span) => {
    try {
      return { result: await act(), traceId: span.spanContext().traceId };
    } finally {
      span.end();
    }
  });
  const ofTrace = (spans: readonly Span[]) => spans.filter((span) => span.traceId === traceId);
  // The call ends last on the server, but the lease is given back without waiting: its commands may come later.
  const isWhole = (spans: readonly Span[]) =>
    ["work", name].every((each) => ofTrace(spans).some((span) => span.name === each));
  return { result, traceId, spans: ofTrace(await sink.waitFor(isWhole)) };
}

const byStart = (left: Span, right: Span) => Number(left.startNs - right.startNs);
const below = (spans: readonly Span[], parent: Span) =>
  spans.filter(({ parentSpanId }) => parentSpanId === parent.spanId).toSorted(byStart);

function one(spans: readonly Span[], name: string): Span {
  const [span, ...more] = spans.filter((each) => each.name === name);
  assert.ok(span !== undefined && more.length === 0, `one span is named ${name}`);
  return span;
}

const isStage = ({ name }: Span) => [...STAGES, "recover"].includes(name);
const isRedis = ({ attributes }: Span) =>
  attributes["db.system.name"] === "redis" || attributes["db.system"] === "redis";

const CHANGES: readonly [rpc: string, act: (name: string) => Promise<{ traceId: string; operationId: string }>][] = [
  ["FileOpsService/WriteFile", (name) => world.client.write(name, Buffer.from("traced"))],
  ["FileOpsService/UploadFile", (name) => world.client.upload(name, Buffer.alloc(200_000))],
  ["RecoveryService/RollbackFile", (name) => world.client.rollback(name, 1)],
  ["FileOpsService/DeleteFile", (name) => world.client.remove(name)],
];

for (const [rpc, act] of CHANGES) {
  test(`${rpc}: one trace from the caller over exactly the stages to Redis`, async () => {
    const name = `traced/${rpc}.txt`;
    await context.with(ROOT_CONTEXT, () => world.client.write(name, Buffer.from("base")));
    const { result, traceId, spans } = await tracedBy(() => act(name), `safefile.v1.${rpc}`);
    assert.equal(result.traceId, traceId, "the caller is told the trace it began");

    const work = one(spans, "work");
    const call = one(spans, `safefile.v1.${rpc}`);
    assert.equal(call.parentSpanId, work.spanId);
    assert.equal(work.resource["service.name"], "caller");
    assert.equal(call.resource["service.name"], "safefile");
    assert.equal(call.attributes["rpc.response.status_code"], "OK");

    const stages = below(spans, call).filter((span) => !isRedis(span));
    assert.deepEqual(
      stages.map((span) => span.name),
      STAGES,
    );
    assert.deepEqual(spans.filter(isStage).length, STAGES.length, "no stage lies anywhere else in the trace");
    for (const [at, stage] of stages.entries()) {
      assert.equal(stage.status.code, 0, stage.name);
      assert.ok(stage.startNs <= stage.endNs && stage.endNs <= call.endNs, `${stage.name} lies within the call`);
      if (at > 0) assert.ok(stage.startNs >= stages[at - 1]!.startNs);
      assert.equal(stage.attributes["safefile.operation.id"], result.operationId);
      assert.equal(stage.attributes["safefile.path.hash"], pathHash(name as never));
    }
    const commit = one(stages, "commit");
    assert.deepEqual([commit.attributes["safefile.outcome"], commit.attributes["safefile.revision"]], ["COMMITTED", 2]);

    const commands = spans.filter(isRedis);
    assert.ok(below(spans, one(stages, "lock")).some(isRedis), "the lease is taken in Redis, below its stage");
    for (const command of commands) assert.equal(command.traceId, traceId);
    assert.equal(spans.length, 2 + STAGES.length + commands.length, "nothing else is in the trace");
  });
}

test("a change that fails shows the stage, the reason and how it was recovered", async () => {
  const { client } = world;
  await context.with(ROOT_CONTEXT, () => client.write("failing.txt", Buffer.from("1")));
  const act = () => client.write("failing.txt", Buffer.from("2"), { ifRevision: 7 }).catch((error: unknown) => error);
  const { result, traceId, spans } = await tracedBy(act, "safefile.v1.FileOpsService/WriteFile");
  assert.ok(isReason(result, "PRECONDITION_FAILED"));
  assert.equal(result.stage, "backup");
  assert.equal(result.metadata.trace_id, traceId, "the error names the trace");
  const call = one(spans, "safefile.v1.FileOpsService/WriteFile");
  const stages = below(spans, call).filter((span) => !isRedis(span));
  assert.deepEqual(
    stages.map(({ name, attributes }) => [name, attributes["error.type"]]),
    [
      ["validate", undefined],
      ["lock", undefined],
      ["backup", "PRECONDITION_FAILED"],
      ["recover", "PRECONDITION_FAILED"],
    ],
  );
  assert.equal(one(stages, "recover").attributes["safefile.outcome"], "NOT_COMMITTED");
  assert.equal(call.attributes["error.type"], "PRECONDITION_FAILED");
  assert.equal(call.attributes["rpc.response.status_code"], "ABORTED");
});

test("what is refused before any stage is one span with its reason", async () => {
  const act = () => world.client.write("../x", Buffer.from("2")).catch((error: unknown) => error);
  const { spans } = await tracedBy(act, "safefile.v1.FileOpsService/WriteFile");
  const call = one(spans, "safefile.v1.FileOpsService/WriteFile");
  assert.deepEqual(below(spans, call), []);
  assert.deepEqual([call.attributes["error.type"], call.status.code], ["PATH_INVALID", 0]);
});

test("a caller without OpenTelemetry may name the trace by hand; without one, the server makes it", async () => {
  const carrier: Record<string, string> = {};
  const parent = { traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331", traceFlags: 1 };
  const named = trace.setSpanContext(ROOT_CONTEXT, parent);
  propagation.inject(named, carrier);
  assert.equal(carrier.traceparent, `00-${parent.traceId}-${parent.spanId}-01`);
  const result = await context.with(named, () => world.client.write("by-hand.txt", Buffer.from("x")));
  assert.equal(result.traceId, parent.traceId);
  const own = await context.with(ROOT_CONTEXT, () => world.client.write("own.txt", Buffer.from("x")));
  assert.match(own.traceId, /^(?!0{32})[0-9a-f]{32}$/);
  assert.notEqual(own.traceId, parent.traceId);
});

test("I15: neither paths nor content nor labels leave the process in any span", async () => {
  const secrets = ["the-secret-path", "the-secret-content", "the-secret-label"] as const;
  const [name, content, label] = secrets;
  const act = async () => {
    const options = { labels: { [label]: label } };
    await world.client.write(`${name}/x.txt`, Buffer.from(content), options);
    await world.client
      .write(`${name}/x.txt`, Buffer.from(content), { ...options, ifRevision: 9 })
      .catch(() => undefined);
    await world.client.read(`${name}/none.txt`).catch(() => undefined);
  };
  await tracedBy(act, "safefile.v1.FileOpsService/ReadFile");
  for (const body of sink.bodies()) for (const secret of secrets) assert.ok(!body.includes(secret), secret);
});
