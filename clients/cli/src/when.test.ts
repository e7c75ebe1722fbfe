import assert from "node:assert/strict";
import test from "node:test";
import { parseWhen } from "./when.js";

const NOW = new Date("2026-05-04T12:00:00Z");

test("a point is RFC 3339 with a zone, or how long ago", () => {
  for (const [text, expected] of [
    ["2026-05-04T11:00:00Z", "2026-05-04T11:00:00.000Z"],
    ["2026-05-04T13:00:00.25+02:00", "2026-05-04T11:00:00.250Z"],
    ["2026-05-04 11:00z", "2026-05-04T11:00:00.000Z"],
    ["30s", "2026-05-04T11:59:30.000Z"],
    ["10m", "2026-05-04T11:50:00.000Z"],
    ["10m ago", "2026-05-04T11:50:00.000Z"],
    ["1h30m", "2026-05-04T10:30:00.000Z"],
    ["2d", "2026-05-02T12:00:00.000Z"],
    ["1w", "2026-04-27T12:00:00.000Z"],
  ] as const) {
    assert.equal(parseWhen(text, NOW).toISOString(), expected, text);
  }
});

test("anything that could mean two points is refused", () => {
  const texts = ["", "10", "m", "-10m", "10 m", "1.5h", "2026-05-04T11:00:00", "2026-05-04", "yesterday"];
  for (const text of [...texts, "2026-13-04T11:00:00Z", "99999999999999w"]) {
    assert.throws(() => parseWhen(text, NOW), /Give a time/, text);
  }
});
