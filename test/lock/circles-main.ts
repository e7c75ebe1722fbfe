/** Many seeds of `runCircles`, and what came of them. SEEDS is how many, FROM the first one. */
import { runCircles } from "./circles.js";

const seeds = Number(process.env.SEEDS ?? 1000);
const from = Number(process.env.FROM ?? 1);
const VIOLATIONS_MAX = 10;

const foundMs: number[] = [];
const bad: number[] = [];
let agoMs = 0;
const sums = { runs: 0, steps: 0, victims: 0, operations: 0, timeouts: 0, raced: 0 };
for (let seed = from; seed < from + seeds && bad.length < VIOLATIONS_MAX; seed++) {
  const ran = await runCircles(seed);
  sums.runs += 1;
  for (const key of ["steps", "victims", "operations", "timeouts", "raced"] as const) sums[key] += ran[key];
  foundMs.push(...ran.foundMs);
  agoMs = Math.max(agoMs, ran.agoMs);
  if (ran.violation === undefined) continue;
  bad.push(seed);
  process.stdout.write(`seed ${seed}: ${ran.violation}\n`);
}
foundMs.sort((left, right) => left - right);
const at = (part: number): string => (foundMs[Math.floor(part * (foundMs.length - 1))] ?? 0).toFixed(0);
const { user, system } = process.cpuUsage();
const { runs, steps, ...counts } = sums;
const counted = Object.entries(counts).map(([what, count]) => `${count} ${what}`);
process.stdout.write(
  `${runs} runs from seed ${from}, ${Math.round(steps / runs)} steps each, ${((user + system) / 1e6).toFixed(0)} s of processor time: ${foundMs.length} circles, ${counted.join(", ")} (by ${agoMs.toFixed(0)} ms at most); found after ${at(0.5)} ms, ${at(0.99)} ms in 99 of 100, ${at(1)} ms at most; violations: ${bad.join(" ") || "none"}\n`,
);
process.exit(bad.length > 0 ? 1 : 0);
