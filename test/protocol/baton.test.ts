import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { OperationId } from "../../services/model/operation.js";
import { type FilePath, pathHash } from "../../services/model/path.js";
import { type Baton, Batons } from "../../services/protocol/baton.js";
import { openFormat } from "../../services/protocol/format.js";
import { PosixVolume } from "../../services/volume/posix.js";
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
