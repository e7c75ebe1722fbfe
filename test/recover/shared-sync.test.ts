import assert from "node:assert/strict";
import { test } from "node:test";
import { SharedSync } from "../../services/recover/shared-sync.js";
import { DurabilityError, type Volume } from "../../services/volume/volume.js";

/** A volume whose flushes end when they are told to. */
function held() {
  const flushes: PromiseWithResolvers<void>[] = [];
  const syncAll = (): Promise<void> => {
    const flush = Promise.withResolvers<void>();
    flushes.push(flush);
    return flush.promise;
  };
  return { flushes, shared: new SharedSync({ syncAll } as unknown as Volume) };
}
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("I1: who comes while a flush is under way waits for the next: that one began before it wrote", async () => {
  const { flushes, shared } = held();
  const ended: string[] = [];
  const sync = (name: string): void => void shared.sync().then(() => ended.push(name));
  sync("a");
  await turn();
  assert.equal(flushes.length, 1, "whoever finds nobody flushing begins at once");
  sync("b");
  sync("c");
  await turn();
  assert.equal(flushes.length, 1);
  flushes[0]?.resolve();
  await turn();
  assert.deepEqual([ended, flushes.length], [["a"], 2]);
  flushes[1]?.resolve();
  await turn();
  assert.deepEqual([ended, flushes.length], [["a", "b", "c"], 2]);
});

test("I10: a flush that failed is one for all who waited, and for those who come after it", async () => {
  const { flushes, shared } = held();
  const first = assert.rejects(shared.sync(), DurabilityError);
  await turn();
  const second = assert.rejects(shared.sync(), DurabilityError);
  flushes[0]?.reject(new DurabilityError(new Error("EIO")));
  await Promise.all([first, second]);
  await assert.rejects(shared.sync(), DurabilityError);
  assert.equal(flushes.length, 1);
});
