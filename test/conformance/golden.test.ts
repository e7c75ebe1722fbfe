import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { GOLDEN } from "./case.js";
import { golden } from "./golden-source.js";

for (const [name, bytes] of golden()) {
  test(`${name} is what this version writes`, async () => {
    const file = path.join(GOLDEN, name);
    // A new format is written once, on purpose, and stands beside the old one.
    if (process.env.SAFEFILE_GOLDEN_WRITE === "1") await writeFile(file, bytes, { flag: "wx" });
    assert.deepEqual(await readFile(file), bytes);
  });
}
