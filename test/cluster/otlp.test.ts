import assert from "node:assert/strict";
import test from "node:test";
import { gzipSync } from "node:zlib";
import { Cleanup } from "./cleanup.js";
import { startOtlpSink } from "./otlp.js";

const span = {
  traceId: "0af7651916cd43dd8448eb211c80319c",
  spanId: "b7ad6b7169203331",
  parentSpanId: "00f067aa0ba902b7",
  name: "commit",
  startTimeUnixNano: "1700000000000000001",
  endTimeUnixNano: "1700000000000000003",
  attributes: [
    { key: "safefile.operation", value: { stringValue: "01J.1" } },
    { key: "safefile.bytes", value: { intValue: "4096" } },
    { key: "safefile.paths", value: { arrayValue: { values: [{ stringValue: "a" }] } } },
  ],
  status: { code: 2, message: "fenced" },
};
const request = JSON.stringify({
  resourceSpans: [
    {
      resource: { attributes: [{ key: "service.name", value: { stringValue: "safefile" } }] },
      scopeSpans: [{ spans: [span] }],
    },
  ],
});

test("a span that was exported is there with its attributes as plain values", async (t) => {
  const sink = await startOtlpSink({ cleanup: Cleanup.of(t) });
  const json = { "content-type": "application/json" };
  const response = await fetch(`${sink.url}/v1/traces`, { method: "POST", headers: json, body: request });
  assert.equal(response.status, 200);
  const [commit] = await sink.waitFor((spans) => spans.length === 1);
  assert.deepEqual(commit, {
    traceId: span.traceId,
    spanId: span.spanId,
    parentSpanId: span.parentSpanId,
    name: "commit",
    startNs: 1700000000000000001n,
    endNs: 1700000000000000003n,
    attributes: { "safefile.operation": "01J.1", "safefile.bytes": 4096, "safefile.paths": ["a"] },
    events: [],
    links: [],
    status: { code: 2, message: "fenced" },
    resource: { "service.name": "safefile" },
  });

  const headers = { ...json, "content-encoding": "gzip" };
  await fetch(`${sink.url}/v1/traces`, { method: "POST", headers, body: gzipSync(request) });
  assert.equal(sink.spans().length, 2);
});

test("the protobuf form is refused with a reason, and waiting for what does not come ends", async (t) => {
  const sink = await startOtlpSink({ cleanup: Cleanup.of(t) });
  const headers = { "content-type": "application/x-protobuf" };
  const response = await fetch(`${sink.url}/v1/traces`, { method: "POST", headers, body: "" });
  assert.equal(response.status, 415);
  await assert.rejects(
    sink.waitFor((spans) => spans.length > 0, 100),
    /did not come within 100 ms/,
  );
});
