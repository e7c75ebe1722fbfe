import assert from "node:assert/strict";
import { test } from "node:test";
import { type FilePath, pathHash } from "../../services/model/path.js";
import { beginOperation } from "../../services/pipeline/begin.js";
import { toWrite, World } from "../regress/core.js";
import { heldRedis } from "../regress/held-redis.js";
import { wish } from "./wish.js";

const f = "f" as FilePath;
const NONE_KEPT = { leaseKeepMs: 0 };
const WANTED = {
  requestId: "",
  validateOnly: false,
  lockWaitMs: 5000,
  priority: 0,
  labels: {},
  traceId: "",
  signal: new AbortController().signal,
};

/** The index is asked together with the lock servers; these are held until something has happened meanwhile. */
async function held(world: World, meanwhile: () => Promise<unknown>) {
  let looks = 0;
  let [isHolding, isOver] = [false, false];
  const looked = Promise.withResolvers<void>();
  const indexUrl = await heldRedis(world.cleanup, world.redis.port, async (command) => {
    if (isHolding && command.includes(pathHash(f))) {
      looks += 1;
      // Passed on, and answered, before the next one.
      setTimeout(looked.resolve, 50);
    }
  });
  const lockUrl = await heldRedis(world.cleanup, world.redis.port, async (command) => {
    if (!isHolding || isOver || !command.includes("acquire")) return;
    isOver = true;
    await looked.promise;
    await meanwhile();
  });
  const core = await world.core({ indexUrl, lockUrl, config: NONE_KEPT });
  return {
    core,
    begin: () => {
      isHolding = true;
    },
    looks: () => looks,
  };
}

test("I5: a request that was looked up before its lease was granted is not done twice, when its first run commits in between", async (t) => {
  const world = await World.start(t);
  const first = await world.core({ config: NONE_KEPT });
  await first.write("f", "zero");
  await first.announced();
  let operation: string | undefined;
  const late = await held(world, async () => {
    ({ operation } = await first.write("f", "once", "request"));
    await first.write("f", "after");
    await first.announced();
    await first.leases.settled(AbortSignal.timeout(5000));
  });
  late.begin();
  const again = await late.core.write("f", "once", "request");
  assert.deepEqual([again.operation, again.replayed], [operation, true]);
  assert.equal(late.looks(), 1);
  assert.equal((await late.core.files.stat(f)).revision, 3);
});

test("I3: what was committed after the index was asked and before the lease was granted is what a change is based on, and is indexed", async (t) => {
  const world = await World.start(t);
  const first = await world.core({ config: NONE_KEPT });
  await first.write("f", "one");
  await first.announced();
  // Redis does not hear of it from whoever made it.
  first.index.apply = () => new Promise<never>(() => undefined);
  const late = await held(world, async () => {
    await first.write("f", "two", "second");
    await first.leases.settled(AbortSignal.timeout(5000));
  });
  late.begin();
  const { record } = await late.core.write("f", "three");
  assert.equal(record?.changes[0]?.revision, 3);
  await late.core.announced();
  assert.deepEqual([...(await late.core.index.revisions(f, 3, 3)).keys()], [3, 2, 1]);
  const again = await late.core.write("f", "two", "second");
  assert.deepEqual([again.record?.changes[0]?.revision, again.replayed], [2, true]);
});

test("after a wait the index is asked again, so that it may lie behind no more than when it is asked afterwards", async (t) => {
  const world = await World.start(t);
  const first = await world.core();
  await first.write("f", "one");
  await first.announced();
  const second = await world.core({ config: { ...NONE_KEPT, notIndexedMax: 1 } });
  const looks: Promise<unknown>[] = [];
  const lookUp = second.index.lookUp.bind(second.index);
  second.index.lookUp = (...args) => {
    const looking = lookUp(...args);
    looks.push(looking);
    return looking;
  };
  const hold = await first.leases.acquire(wish("f"));
  const writing = second.write("f", "last");
  while (looks.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  await Promise.all(looks);
  // Under the lease that is waited for, as one operation after the other does.
  const standing = { lost: hold.lost, assertHeld: () => hold.assertHeld() };
  for (const content of ["two", "three", "four"]) {
    const intents = [toWrite("f", content)];
    await first.pipeline.run(beginOperation(first.incarnation, { ...WANTED, intents, standing }));
  }
  await first.announced();
  hold.release();
  assert.equal((await writing).record?.changes[0]?.revision, 5);
  assert.equal(looks.length, 2);
});
