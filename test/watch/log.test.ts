import assert from "node:assert/strict";
import { test } from "node:test";
import type { FilePath } from "../../services/model/path.js";
import { World } from "../regress/core.js";

test("the log of changes has each revision once, in order on its path, whatever the clocks and repeats", async (t) => {
  const world = await World.start(t);
  const { index, journals, write, announced } = await world.core();
  const receipts = [
    await write("f", "one"),
    await write("f", "two"),
    await write("g", "one"),
    await write("f", "three"),
  ];
  await announced();
  const begin = await index.changes.end();
  assert(begin);
  const records = receipts.map(({ record }) => record!);
  await index.apply(records);
  assert.deepEqual(await index.changes.end(), begin, "what is indexed is not logged again");
  const from = { ...begin, sequence: begin.sequence - records.length };
  const page = await index.changes.after(from, 100);
  assert(page && !page.missed);
  assert.deepEqual(
    page.hints.map(({ path, revision }) => `${path}@${revision}`),
    ["f@1", "f@2", "g@1", "f@3"],
  );
  assert.equal(journals.incarnation.length, 26);

  // As a commit does that indexes what others left, when the clock of the one before it was ahead.
  const [one, two, , three] = records;
  const other = (record: typeof one) => ({
    ...record!,
    changes: record!.changes.map((change) => ({ ...change, path: "h" as FilePath })),
  });
  await index.apply([other(three), other(one), other(two)]);
  const later = await index.changes.after(begin, 100);
  assert.deepEqual(
    later?.hints.map(({ path, revision }) => `${path}@${revision}`),
    ["h@1", "h@2", "h@3"],
  );
});
