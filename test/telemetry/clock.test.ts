import assert from "node:assert/strict";
import test from "node:test";
import { nowMs } from "../../services/telemetry/clock.js";

test("the clock shows the wall clock's millisecond, with a fraction, and follows when somebody sets it", (t) => {
  const bracketed = () => {
    const [before, now, after] = [Date.now(), nowMs(), Date.now()];
    assert.ok(now >= before && now < after + 2, `${before} <= ${now} < ${after + 2}`);
    return now;
  };
  const readings = Array.from({ length: 1000 }, bracketed);
  assert.ok(new Set(readings.map((ms) => ms % 1)).size > 100, "finer than milliseconds");
  for (const jumpMs of [3_600_000, -3_600_000]) {
    const set = Date.now() + jumpMs;
    t.mock.timers.enable({ apis: ["Date"], now: set });
    const shown = nowMs();
    assert.ok(Math.abs(shown - set) < 2, `${shown} is ${set}`);
    t.mock.timers.reset();
    bracketed();
  }
});
