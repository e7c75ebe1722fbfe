import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { OperationId } from "../../services/model/operation.js";
import { type FilePath, pathHash } from "../../services/model/path.js";
import { type Baton, Batons } from "../../services/protocol/baton.js";
import { openFormat } from "../../services/protocol/format.js";
import { PosixVolume } from "../../services/volume/posix.js";
import type { Volume } from "../../services/volume/volume.js";
import { Cleanup } from "../cluster/cleanup.js";
import { tempVolume } from "../cluster/volume.js";

const HASH = pathHash("f" as FilePath);
const [FIRST, SECOND] = ["01JZZZZZZZZZZZZZZZZZZZZZZZ.1", "01JZZZZZZZZZZZZZZZZZZZZZZZ.2"] as [OperationId, OperationId];

async function start(t: TestContext): Promise<[Batons, Batons]> {
  const cleanup = Cleanup.of(t);
  const volume = await PosixVolume.open(await tempVolume(cleanup), "local", assert.fail as () => never);
  cleanup.defer(() => volume.close());
  await openFormat(volume);
  return [new Batons(volume, 10), new Batons(volume, 10)];
}

const taken = (seen: Baton, owner: OperationId): Baton => ({ ...seen, epoch: seen.epoch + 1, owner });
const finished = (baton: Baton): Baton => ({ ...baton, last: baton.owner });

async function born(batons: Batons): Promise<Baton> {
  await batons.beBorn(FIRST, HASH);
  const baton = await batons.look(HASH);
  assert(baton);
  return baton;
}

test("a baton is guessed where it was left finished, and nowhere else", async (t) => {
  const [batons] = await start(t);
  const first = await born(batons);
  assert.equal(batons.guess(HASH), undefined, "only looked at");
  const held = taken(first, FIRST);
  assert.equal(await batons.move(first, held), true);
  assert.equal(batons.guess(HASH), undefined, "its owner is at work");
  assert.equal(await batons.move(held, finished(held)), true);
  assert.deepEqual(batons.guess(HASH), finished(held));
  assert.deepEqual(await batons.look(HASH), finished(held));
});

test("a guess that is no longer true moves nothing, and is not made again", async (t) => {
  const [ours, theirs] = await start(t);
  const held = taken(await born(ours), FIRST);
  await ours.move({ ...held, epoch: 0, owner: "-" as OperationId }, held);
  await ours.move(held, finished(held));
  const guess = ours.guess(HASH) as Baton;
  const seen = (await theirs.look(HASH)) as Baton;
  await theirs.move(seen, taken(seen, SECOND));
  assert.equal(await ours.move(guess, taken(guess, FIRST)), false);
  assert.equal(ours.guess(HASH), undefined);
  assert.deepEqual(await ours.look(HASH), taken(seen, SECOND));
});

/** How often a directory is listed, which costs more than a look at one name. */
function counting(volume: Volume): { volume: Volume; listed: () => number } {
  let lists = 0;
  const counted = new Proxy(volume, {
    get(target, key) {
      if (key === "list") lists += 1;
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  return { volume: counted, listed: () => lists };
}

for (const kind of ["local", "network"] as const)
  test(`a baton is seen where it is, on a ${kind} volume, whoever moved it since`, async (t) => {
    const cleanup = Cleanup.of(t);
    const real = await PosixVolume.open(await tempVolume(cleanup), kind, assert.fail as () => never);
    cleanup.defer(() => real.close());
    await openFormat(real);
    const { volume, listed } = counting(real);
    const [reader, writer] = [new Batons(volume, 10), new Batons(real, 10)];
    assert.equal(await reader.see(HASH), undefined);
    const first = await born(writer);
    assert.deepEqual(await reader.see(HASH), first);
    const listedOnce = listed();
    assert.deepEqual(await reader.see(HASH), first);
    // Another host may keep a name that is gone; that a listing does as well is known to those who look.
    assert.equal(listed() - listedOnce, kind === "local" ? 0 : 1);
    const held = taken(first, FIRST);
    await writer.move(first, held);
    assert.deepEqual(await reader.see(HASH), held, "at work");
    assert.equal(reader.guess(HASH), undefined, "who is at work will move it on");
    await writer.move(held, finished(held));
    assert.deepEqual(await reader.see(HASH), finished(held));
    assert.deepEqual(await reader.see(HASH), finished(held));
  });
