import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import test from "node:test";
import { Cleanup } from "../cluster/cleanup.js";
import { tempVolume } from "../cluster/volume.js";
import { endsSoon, startProgram } from "./program.js";

const HEADINGS = [
  "1. Two replicas of one volume",
  "2. A real tree is uploaded through both",
  "3. Writers race on one file; kill -9 of a replica in the middle",
  "4. Files are damaged by hand and restored",
  "5. The tree goes back to an earlier time",
  "6. One operation, traced",
  "What was shown",
];

test("the demo tells its story, and all it claims holds", { timeout: 300_000 }, async (t) => {
  const { demo, dir } = await start(t, "150");
  assert.equal(await demo.exited, 0, demo.output());
  const lines = demo.output().split("\n");
  assert.deepEqual(
    lines.filter((line) => HEADINGS.includes(line)),
    HEADINGS,
  );
  assert.match(demo.output(), /node_modules: 150 files, .* symlinks? skipped/);
  assert.match(demo.output(), /kill -9 of replica B \(process \d+\) after \d+ acknowledged increments/);
  assert.match(demo.output(), /✓ 240 increments acknowledged, the number is 240/);
  assert.match(demo.output(), /revision 2 {2}EXTERNAL {2}/);
  assert.match(demo.output(), /revision 2 {2}EXTERNAL_DELETE/);
  assert.match(demo.output(), /100 % {2}150 of 150 files/);
  assert.match(demo.output(), /└─ commit .*COMMITTED/);
  assert.match(demo.output(), /All \d+ checks held/);
  await assertEnded(demo.output());
  assert.deepEqual(await readdir(dir), [], "nothing is left behind");
});

test("interrupted, the demo leaves neither a process nor a file behind", async (t) => {
  const { demo, dir } = await start(t, "150");
  await demo.waitFor(/ 50 % /);
  demo.signal("SIGINT");
  assert.equal(await demo.exited, 130, demo.output());
  await assertEnded(demo.output());
  assert.deepEqual(await readdir(dir), []);
});

test("the demo refuses a number of files that makes no story", async (t) => {
  const { demo } = await start(t, "all");
  assert.equal(await demo.exited, 1);
  assert.match(demo.output(), /SAFEFILE_DEMO_FILES must be a number from 30 on/);
});

async function start(t: test.TestContext, files: string) {
  const cleanup = Cleanup.of(t);
  const dir = await tempVolume(cleanup);
  const env = { SAFEFILE_DEMO_FILES: files, SAFEFILE_DEMO_DIR: dir };
  return { demo: startProgram({ cleanup, main: "demo/main.js", cwd: dir, env }), dir };
}

async function assertEnded(output: string): Promise<void> {
  const pids = [...output.matchAll(/^ {3}(?:Replica [AB]|Redis) .* process (\d+)/gm)].map(([, pid]) => Number(pid));
  assert.equal(pids.length, 3);
  for (const pid of pids) assert.ok(await endsSoon(pid), `process ${pid}`);
}
