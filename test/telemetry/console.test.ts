import assert from "node:assert/strict";
import test from "node:test";
import { context, ROOT_CONTEXT, type Span, trace } from "@opentelemetry/api";
import { TracerProvider } from "@opentelemetry/sdk-trace";
import { SPANS_MAX, TRACES_MAX, TraceConsole } from "../../services/telemetry/console.js";
import { Cleanup } from "../cluster/cleanup.js";
import { startRedis } from "../cluster/redis.js";
import { runProgram } from "./run.js";

function watched(operationsOnly = false) {
  const printed: string[] = [];
  const console = new TraceConsole({ operationsOnly, write: (text) => printed.push(text) });
  const tracer = new TracerProvider({ spanProcessors: [console] }).getTracer("test");
  const start = (name: string, parent?: Span) =>
    tracer.startSpan(name, {}, parent ? trace.setSpan(context.active(), parent) : ROOT_CONTEXT);
  return { console, printed, tracer, start };
}

test("SAFEFILE_TRACE_CONSOLE prints every call, or only those that carry out an operation", async (t) => {
  const redis = await startRedis({ cleanup: Cleanup.of(t) });
  const scenarios = ["write", "read", "fenced"];
  const calls = async (SAFEFILE_TRACE_CONSOLE: string) => {
    const env = { SAFEFILE_TRACE_CONSOLE };
    const { stdout, stderr, code, report } = await runProgram({ redis: redis.url, scenarios, env });
    assert.deepEqual([code, stderr, report.ports], [0, "", [redis.port]], "printed, and exported nowhere");
    return stdout.split("\n\n").map((text) => text.trim().split("\n"));
  };

  const [write, read, fenced] = await calls("1");
  assert.match(write![0]!, /^safefile\.v1\.FileOpsService\/WriteFile {2}OK {2}[\d.]+ ms {2}trace [0-9a-f]{32}$/);
  assert.match(write![1]!, /^│ {2}operation 01JZZZZZZZZZZZZZZZZZZZZZZZ\.1 {2}path [0-9a-f]{12}… {2}5 B$/);
  assert.deepEqual(
    write!.slice(2).map((text) => text.split(/ +/)[1]),
    ["validate", "lock", "backup", "execute", "verify", "commit"],
  );
  assert.match(write![3]!, /redis ×2 [\d.]+ ms$/);
  assert.match(write![7]!, /revision 4 {2}COMMITTED {2}redis ×4 [\d.]+ ms$/);
  assert.match(read![0]!, /StatFile {2}OK .* redis ×1/);
  assert.match(fenced!.at(-2)!, /recover .* ✗ LOCK_FENCED {2}NOT_COMMITTED$/);

  assert.deepEqual((await calls("only")).map(([call]) => call!.split(" ")[0]?.split("/")[1]).slice(0, 2), [
    "WriteFile",
    "WriteFile",
  ]);
});

test("a call is printed once it has ended, with what ends shortly after it", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { console, printed, start } = watched();
  const call = start("call");
  const release = start("release", call);
  call.end();
  t.mock.timers.tick(10);
  assert.deepEqual(printed, []);
  release.end();
  t.mock.timers.tick(1_000);
  assert.equal(printed.length, 1);
  assert.match(printed[0]!, /^\ncall .*\n└─ release /);
  start("renewal", call).end();
  await console.forceFlush();
  assert.equal(printed.length, 1, "what comes later is not a call");
  assert.equal(console.size, 0);
});

test("memory is bounded: calls that never end and calls without end give up their oldest", async () => {
  const { console, printed, start } = watched();
  const stuck = Array.from({ length: 3 * TRACES_MAX }, (_, at) => start(`stuck ${at}`));
  assert.equal(console.size, TRACES_MAX);

  const busy = start("busy");
  for (let at = 0; at < 3 * SPANS_MAX; at++) start(`step ${at}`, busy).end();
  assert.equal(console.size, TRACES_MAX - 1 + SPANS_MAX);
  busy.end();
  for (const span of stuck) span.end();
  await console.forceFlush();
  assert.equal(printed.length, TRACES_MAX);
  const text = printed.find((each) => each.includes("busy"))!;
  assert.match(text, /… 1001 spans were not kept, or have not ended\n$/);
  assert.equal(console.size, 0);

  for (let at = 0; at < 10; at++) start("waiting");
  await console.shutdown();
  assert.equal(console.size, 0);
});
