import assert from "node:assert/strict";
import test from "node:test";
import { Cleanup } from "./cleanup.js";

test("what was started last ends first, and one failure does not keep the rest from ending", async () => {
  const cleanup = new Cleanup();
  const ended: string[] = [];
  cleanup.defer(() => ended.push("volume"));
  cleanup.defer(async () => {
    throw new Error("redis");
  });
  cleanup.defer(async () => ended.push("replica"));
  await assert.rejects(cleanup.end(), { message: "redis" });
  assert.deepEqual(ended, ["replica", "volume"]);
  await cleanup.end();
  assert.equal(ended.length, 2, "ending twice ends nothing twice");
});
