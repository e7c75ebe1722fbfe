import assert from "node:assert/strict";
import { type AddressInfo, createServer, type Socket } from "node:net";
import test, { type TestContext } from "node:test";
import { pathHash } from "../../services/model/path.js";
import { STAGES } from "../../services/model/receipt.js";
import { Cleanup } from "../cluster/cleanup.js";
import { type Span, startOtlpSink } from "../cluster/otlp.js";
import { freePort, startRedis } from "../cluster/redis.js";
import { runProgram } from "./run.js";

const TRACE_ID = "0af7651916cd43dd8448eb211c80319c";
const CALLER = "b7ad6b7169203331";
const TRACEPARENT = `00-${TRACE_ID}-${CALLER}-01`;

async function parts(t: TestContext) {
  const cleanup = Cleanup.of(t);
  const [redis, sink] = await Promise.all([startRedis({ cleanup }), startOtlpSink({ cleanup })]);
  return { cleanup, redis, sink };
}

const below = (spans: readonly Span[], parent: Span) =>
  spans
    .filter(({ parentSpanId }) => parentSpanId === parent.spanId)
    .toSorted((left, right) => Number(left.startNs - right.startNs));
const named = (spans: readonly Span[], name: string) => {
  const [span, ...more] = spans.filter((each) => each.name === name);
  assert.ok(span !== undefined && more.length === 0, `one span is named ${name}`);
  return span;
};

test("one operation is one trace: the caller, the call, its stages in order, and Redis below its stage", async (t) => {
  const { redis, sink } = await parts(t);
  const env = { ...sink.env, TRACEPARENT };
  const { report, stderr, code } = await runProgram({ redis: redis.url, scenarios: ["write"], env });
  assert.equal(code, 0);
  assert.equal(stderr, "");
  const spans = sink.spans();

  assert.deepEqual(new Set(spans.map(({ traceId }) => traceId)), new Set([TRACE_ID]));
  const call = named(spans, "safefile.v1.FileOpsService/WriteFile");
  assert.equal(call.parentSpanId, CALLER);
  assert.deepEqual(call.attributes, {
    "rpc.system.name": "grpc",
    "rpc.method": "safefile.v1.FileOpsService/WriteFile",
    "rpc.response.status_code": "OK",
    "safefile.operation.id": "01JZZZZZZZZZZZZZZZZZZZZZZZ.1",
  });
  const stages = below(spans, call);
  assert.deepEqual(
    stages.map(({ name }) => name),
    STAGES.filter((stage) => stage !== "recover"),
  );
  const commands = (stage: string) => below(spans, named(stages, stage)).map(({ name }) => name);
  assert.deepEqual(commands("validate"), ["get"]);
  assert.deepEqual(commands("lock"), ["set", "eval"]);
  assert.deepEqual(commands("commit"), ["multi", "set", "get", "exec"]);
  assert.equal(spans.length, 1 + 6 + 7, "nothing else, and no span for the command outside the call");

  assert.deepEqual(named(stages, "commit").attributes, {
    "safefile.operation.id": "01JZZZZZZZZZZZZZZZZZZZZZZZ.1",
    "safefile.path.hash": pathHash("a/b" as never),
    "safefile.paths": 1,
    "safefile.bytes": 5,
    "safefile.revision": 4,
    "safefile.outcome": "COMMITTED",
  });
  assert.equal(call.resource["service.name"], "safefile");
  assert.equal(report.calls[0]?.traceId, TRACE_ID);
  assert.deepEqual(report.calls[0]?.inside, [TRACE_ID, TRACE_ID]);
  assert.equal(report.calls[0]?.handedOn, `00-${TRACE_ID}-${call.spanId}-01`);
  for (const span of spans) assert.equal(span.status.code, 0, span.name);
});

test("a failed operation shows where and why: reason and outcome, and recover as its last stage", async (t) => {
  const { redis, sink } = await parts(t);
  await runProgram({ redis: redis.url, scenarios: ["fenced", "replay"], env: sink.env });
  const spans = sink.spans();
  const [fenced, replay] = spans
    .filter(({ name }) => name.endsWith("/WriteFile"))
    .toSorted((left, right) => Number(left.startNs - right.startNs));
  assert.ok(fenced && replay);
  assert.equal(fenced.parentSpanId, "", "a call without a caller is the root");
  assert.notEqual(fenced.traceId, replay.traceId);

  const stages = below(spans, fenced);
  assert.deepEqual(
    stages.map(({ name }) => name),
    [...STAGES],
  );
  for (const stage of ["commit", "recover"]) {
    const { status, attributes } = named(stages, stage);
    assert.deepEqual(status, { code: 2, message: "LOCK_FENCED" });
    assert.equal(attributes["error.type"], "LOCK_FENCED");
    assert.equal(attributes["safefile.outcome"], "NOT_COMMITTED");
  }
  assert.equal(fenced.attributes["rpc.response.status_code"], "ABORTED");
  assert.equal(fenced.attributes["error.type"], "LOCK_FENCED");
  assert.equal(fenced.status.code, 0, "the caller lost a race; the server has no fault");

  const [validate, ...rest] = below(spans, replay);
  assert.equal(rest.length, 0);
  assert.equal(validate?.status.code, 0, "to have been carried out before is no failure");
  assert.equal(validate?.attributes["safefile.replayed"], true);
  assert.equal(validate?.attributes["safefile.revision"], 4);
  assert.equal(replay.attributes["rpc.response.status_code"], "OK");
});

test("without an endpoint nothing is exported, and every operation has a valid trace id", async (t) => {
  const { redis, sink } = await parts(t);
  const exported = await runProgram({ redis: redis.url, scenarios: ["write"], env: sink.env });
  const sinkPort = Number(new URL(sink.url).port);
  assert.deepEqual(new Set(exported.report.ports), new Set([redis.port, sinkPort]), "the program sees its connections");

  const none: Record<string, string>[] = [
    {},
    { OTEL_TRACES_EXPORTER: "none" },
    { ...sink.env, OTEL_TRACES_EXPORTER: "none" },
    { ...sink.env, OTEL_SDK_DISABLED: "true" },
  ];
  const before = sink.bodies().length;
  for (const env of none) {
    for (const registered of [true, false]) {
      const scenarios = ["write", "fenced"];
      const alone = await runProgram({ redis: redis.url, scenarios, env, registered });
      assert.deepEqual([alone.code, alone.stderr], [0, ""]);
      assert.deepEqual(alone.report.ports, [redis.port]);
      const ids = alone.report.calls.map(({ traceId }) => traceId);
      for (const id of [...ids, alone.report.idle]) assert.match(id, /^(?!0+$)[0-9a-f]{32}$/);
      assert.equal(new Set(ids).size, 2, "each call has its own");
      assert.deepEqual(alone.report.calls[0]?.inside, [ids[0], ids[0]]);
      assert.match(alone.report.calls[0]?.handedOn ?? "", new RegExp(`^00-${ids[0]}-[0-9a-f]{16}-00$`));

      const called = await runProgram({ redis: redis.url, scenarios, env: { ...env, TRACEPARENT }, registered });
      assert.deepEqual(new Set(called.report.calls.map(({ traceId }) => traceId)), new Set([TRACE_ID]));
    }
  }
  assert.equal(sink.bodies().length, before);
});

test("OTEL_TRACES_EXPORTER=console needs no endpoint", async (t) => {
  const { redis } = await parts(t);
  const env = { OTEL_TRACES_EXPORTER: "console", TRACEPARENT };
  const { report, stdout } = await runProgram({ redis: redis.url, scenarios: ["write"], env });
  assert.match(stdout, new RegExp(`traceId: '${TRACE_ID}'`));
  assert.deepEqual(report.ports, [redis.port]);
});

test("a sampler that takes nothing still gives every operation a valid trace id", async (t) => {
  const { redis, sink } = await parts(t);
  const env = { ...sink.env, OTEL_TRACES_SAMPLER: "always_off" };
  const { report } = await runProgram({ redis: redis.url, scenarios: ["write"], env });
  assert.match(report.calls[0]?.traceId ?? "", /^(?!0+$)[0-9a-f]{32}$/);
  assert.deepEqual(sink.bodies(), []);
});

test("a collector that is away, or takes calls and never answers, costs neither noise nor the end", async (t) => {
  const { cleanup, redis, sink } = await parts(t);
  const silent = createServer(() => undefined);
  const sockets = new Set<Socket>();
  silent.on("connection", (socket) => sockets.add(socket.on("error", () => undefined)));
  await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
  cleanup.defer(() => {
    silent.close();
    for (const socket of sockets) socket.destroy();
  });
  const silentPort = (silent.address() as AddressInfo).port;
  for (const port of [await freePort(), silentPort]) {
    const env = { ...sink.env, OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}` };
    const { code, stderr, stdout, lingeredMs } = await runProgram({ redis: redis.url, scenarios: ["write"], env });
    assert.deepEqual([code, stderr, stdout.split("\n").length], [0, "", 2]);
    // The flush has had its 2 s when the program reports; the export under way may have as much again.
    assert.ok(lingeredMs < 5_000, `ended ${lingeredMs} ms after its work`);
  }
  assert.ok(sockets.size > 0, "the silent collector was called");
});

test("durations of stages are measured by stage and reason", async (t) => {
  const { redis, sink } = await parts(t);
  const env = { ...sink.env, OTEL_METRICS_EXPORTER: "otlp" };
  await runProgram({ redis: redis.url, scenarios: ["write", "write", "fenced"], env });
  const metrics = sink.bodies().filter((body) => body.includes("safefile.stage.duration"));
  assert.equal(metrics.length, 1);
  const points: Record<string, unknown>[] = [];
  JSON.parse(metrics[0]!, (_key, value) => {
    if (value?.name === "safefile.stage.duration") points.push(...value.histogram.dataPoints);
    return value;
  });
  const counts = points.map(({ attributes, count, sum }) => {
    const labels = (attributes as { key: string; value: { stringValue: string } }[]).map(
      ({ value }) => value.stringValue,
    );
    assert.ok(Number(sum) > 0 && Number(sum) < 10, "in seconds");
    return [labels.join(" "), Number(count)];
  });
  assert.deepEqual(Object.fromEntries(counts), {
    "validate OK": 3,
    "lock OK": 3,
    "backup OK": 3,
    "execute OK": 3,
    "verify OK": 3,
    "commit OK": 2,
    "commit LOCK_FENCED": 1,
    "recover LOCK_FENCED": 1,
  });
});

test("I15: a secret path and secret bytes are in nothing that leaves the process", async (t) => {
  const { redis, sink } = await parts(t);
  const secrets = { SECRET_PATH: "clients/canary-5f1d/merger.txt", SECRET_BYTES: "canary-bytes-8c27" };
  const options = { redis: redis.url, scenarios: ["write", "quoting", "fenced", "read", "replay"] };
  const env = { ...sink.env, ...secrets, OTEL_METRICS_EXPORTER: "otlp" };
  const exported = await runProgram({ ...options, env, argv: [secrets.SECRET_PATH] });
  const json = sink.bodies().length;
  // The sink refuses this form, and keeps it.
  await runProgram({ ...options, env: { ...env, OTEL_EXPORTER_OTLP_PROTOCOL: "http/protobuf" } });
  assert.ok(sink.bodies().length > json);
  const shown = await runProgram({ ...options, env: { ...secrets, SAFEFILE_TRACE_CONSOLE: "1" } });

  // The bait was there: in keys, in values, in the sentences of errors and on the command line.
  assert.equal(exported.report.sentences.length, 2);
  for (const sentence of exported.report.sentences) assert.match(sentence, /canary-5f1d/);
  const spans = sink.spans();
  assert.deepEqual(named(spans, "SAFEFILE.UNKNOWN").status, { code: 2, message: "ERR" });
  assert.ok(spans.some(({ name, attributes }) => name === "set" && attributes["db.query.text"] === "set"));
  assert.ok(sink.bodies().some((body) => body.includes("safefile.stage.duration")));

  const printed = shown.stdout.replace(/^\{"calls".*$/m, "");
  assert.match(printed, /LOCK_FENCED/);
  for (const text of [...sink.bodies(), printed]) {
    for (const secret of [...Object.values(secrets), "canary", "merger.txt"]) {
      for (const form of [secret, ...(["base64", "hex"] as const).map((code) => Buffer.from(secret).toString(code))])
        assert.ok(!text.includes(form.replace(/=+$/, "")), `${form} was exported: ${text.slice(0, 20_000)}`);
    }
  }
});
