/** `make sim`: many seeds, and what happened in them. SEEDS is how many, FROM the first one, FLAVOUR loose or ordered. */
import type { Flavour } from "./fake-disk.js";
import { runSeed } from "./run.js";

const seeds = Number(process.env.SEEDS ?? 1000);
const from = Number(process.env.FROM ?? 1);
const flavour = (process.env.FLAVOUR ?? "ordered") as Flavour;
const violationsMax = Number(process.env.VIOLATIONS ?? 10);

const startMs = Date.now();
const happened = new Map<string, number>();
let steps = 0;
const bad: number[] = [];
let ran = 0;
for (let seed = from; seed < from + seeds && bad.length < violationsMax; seed++) {
  const result = await runSeed(seed, flavour);
  ran += 1;
  steps += result.steps;
  for (const [what, count] of result.happened) happened.set(what, (happened.get(what) ?? 0) + count);
  if (!result.violation) continue;
  bad.push(seed);
  process.stdout.write(`${result.violation}\n\n`);
}
const seconds = (Date.now() - startMs) / 1000;
const { user, system } = process.cpuUsage();
const cpuSeconds = (user + system) / 1e6;
for (const [what, count] of [...happened].sort()) process.stdout.write(`${String(count).padStart(9)}  ${what}\n`);
process.stdout.write(
  `${ran} seeds (${flavour}) in ${seconds.toFixed(1)} s, ${(ran / cpuSeconds).toFixed(1)} a second of processor time, ${Math.round(steps / ran)} steps each; violations: ${bad.length === 0 ? "none" : bad.join(" ")}\n`,
);
process.exitCode = bad.length > 0 ? 1 : 0;
