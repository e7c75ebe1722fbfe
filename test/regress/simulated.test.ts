import assert from "node:assert/strict";
import { test } from "node:test";
import { runSeed } from "../sim/run.js";

/** Seeds that found a bug once. When the simulation changes, a seed becomes another run: the sentence says what to
 * plant to find a new one. */
const FOUND: readonly { readonly seed: number; readonly was: string }[] = [
  { seed: 27, was: "a power cut took the text of a birth, and nobody could ever write that path again" },
  { seed: 95, was: "one that was declared dead answered INTERNAL while it staged" },
  { seed: 111, was: "a lost reply to the link of an upload was answered INTERNAL" },
];

for (const { seed, was } of FOUND)
  test(`simulated, seed ${seed}: ${was}`, async () => {
    const { violation } = await runSeed(seed);
    assert.equal(violation, undefined);
  });
