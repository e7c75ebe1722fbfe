import assert from "node:assert/strict";
import test from "node:test";
import { renderTrace, type TraceSpan } from "../../services/telemetry/tree.js";

let nextId = 0;
const TRACE_ID = "0af7651916cd43dd8448eb211c80319c";

function span(name: string, fromMs: number, toMs: number, more: Partial<TraceSpan> = {}): TraceSpan {
  const [startNs, endNs] = [BigInt(fromMs * 1e6), BigInt(toMs * 1e6)];
  const ids = { traceId: TRACE_ID, spanId: String(++nextId), parentSpanId: "" };
  return { ...ids, name, startNs, endNs, attributes: {}, status: { code: 0 }, ...more };
}

const operation = { "safefile.operation.id": "01J.7", "safefile.path.hash": "c14cddc033f6aa", "safefile.bytes": 4096 };
const redis = { "db.system.name": "redis" };

test("a trace is drawn as a call, its stages on one scale, and Redis as a count", () => {
  const attributes = { "rpc.response.status_code": "ABORTED", "error.type": "LOCK_FENCED" };
  const call = span("safefile.v1.FileOpsService/WriteFile", 0, 16, { attributes });
  const under = (parent: TraceSpan) => ({ parentSpanId: parent.spanId });
  const lock = span("lock", 0, 4, { ...under(call), attributes: operation });
  const commit = span("commit", 4, 12.25, {
    ...under(call),
    attributes: { ...operation, "safefile.outcome": "NOT_COMMITTED", "error.type": "LOCK_FENCED" },
    status: { code: 2, message: "LOCK_FENCED" },
  });
  const recover = span("recover", 12, 16, { ...under(call), attributes: { ...operation, "safefile.revision": 4 } });
  const commands = [
    span("set", 0, 1, { ...under(lock), attributes: redis }),
    span("eval", 1, 3, { ...under(lock), attributes: redis, status: { code: 2, message: "NOSCRIPT" } }),
  ];
  // In the order in which they ended, as exporters send them.
  const drawn = renderTrace([...commands, lock, commit, recover, call]);
  assert.equal(
    drawn,
    `\
safefile.v1.FileOpsService/WriteFile  ABORTED  ✗ LOCK_FENCED  16.0 ms  trace ${TRACE_ID}
│  operation 01J.7  path c14cddc033f6…  4096 B
├─ lock    ▕████████                        ▏   4.0 ms  redis ×2 3.0 ms (1 failed)
├─ commit  ▕        █████████████████       ▏   8.3 ms  ✗ LOCK_FENCED  NOT_COMMITTED
└─ recover ▕                        ████████▏   4.0 ms  revision 4
`,
  );
});

test("operations of one call are told apart, and calls of one trace stand by time", () => {
  const job = span("job", 0, 10);
  const stages = ["01J.1", "01J.2"].flatMap((id, at) =>
    ["validate", "lock"].map((name) =>
      span(name, at, at + 1, { parentSpanId: job.spanId, attributes: { "safefile.operation.id": id } }),
    ),
  );
  const lines = renderTrace([span("later", 20, 1520), ...stages, job]).split("\n");
  assert.deepEqual(
    lines.map((text) => text.trim().split(/ +/).slice(0, 3).join(" ")),
    [
      "job 10.0 ms",
      "│ operation 01J.1",
      "├─ validate ▕███",
      "├─ lock ▕███",
      "│ operation 01J.2",
      "├─ validate ▕",
      "└─ lock ▕",
      "",
      "later 1.50 s",
      "",
    ],
  );
});

test("what comes over the network is drawn whatever it is: loops, orphans, wild clocks, escapes, too many", () => {
  assert.equal(renderTrace([]), "");
  const loop = span("self", 0, 1);
  assert.match(renderTrace([{ ...loop, parentSpanId: loop.spanId }]), /^self /);
  const [left, right] = [span("left", 0, 1), span("right", 0, 1)];
  const ring = [
    { ...left, parentSpanId: right.spanId },
    { ...right, parentSpanId: left.spanId },
  ];
  assert.equal(renderTrace(ring), "", "a ring has no root; it ends");
  assert.match(renderTrace([span("orphan", 0, 1, { parentSpanId: "gone" })]), /^orphan /);

  const call = span("call\u001b[2J", 100, 100);
  const early = span("early", 0, 50, { parentSpanId: call.spanId });
  const late = span("late", 900, 800, { parentSpanId: call.spanId });
  const drawn = renderTrace([call, early, late]);
  assert.match(drawn, /^call\?\[2J/);
  for (const bar of drawn.matchAll(/▕(.*)▏/g)) assert.equal(bar[1]?.length, 32);

  const many = Array.from({ length: 1000 }, (_, at) => span(`child ${at}`, at, at + 1, { parentSpanId: call.spanId }));
  const lines = renderTrace([call, ...many])
    .trimEnd()
    .split("\n");
  assert.equal(lines.length, 66);
  assert.equal(lines.at(-1), "└─ … 936 more");

  let deep = [span("root", 0, 1)];
  for (let at = 0; at < 1000; at++) deep = [...deep, span("deeper", 0, 1, { parentSpanId: deep.at(-1)!.spanId })];
  assert.ok(renderTrace(deep).split("\n").length < 30);
});
