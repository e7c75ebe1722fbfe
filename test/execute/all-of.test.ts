import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { allOf } from "../../services/model/each.js";

test("several calls at once give their results in order", async () => {
  assert.deepEqual(await allOf([Promise.resolve(1), undefined, setImmediate("x")]), [1, undefined, "x"]);
});

test("of several calls at once the first failure is told when none is under way any more", async () => {
  const slow = Promise.withResolvers<void>();
  let isTold = false;
  const all = allOf([slow.promise, Promise.reject(new Error("first")), Promise.reject(new Error("second"))]);
  const told = assert.rejects(all, /first/).then(() => {
    isTold = true;
  });
  await setImmediate();
  assert.equal(isTold, false, "what it works with could be let go of");
  slow.resolve();
  await told;
});
