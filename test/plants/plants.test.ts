import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { endWithParent } from "../cluster/cleanup.js";
import { whyNoDisk } from "../faults/disk.js";
import { PLANTS, type Plant, SUITES, type Suite } from "./plants.js";

const SUITE_MS_MAX = 240_000;
const OUTPUT_CHARS_MAX = 4 * 1024 * 1024;

const built = fileURLToPath(new URL("../../", import.meta.url));
let copy = "";

/** Where the packages are: beside the output directory, or above it. */
function project(): string {
  for (let at = path.resolve(built, ".."); ; at = path.dirname(at))
    if (existsSync(path.join(at, "package.json"))) return at;
}

before(async () => {
  copy = await mkdtemp(path.join(tmpdir(), "safefile-plants-"));
  await cp(built, path.join(copy, "dist"), { recursive: true });
  await cp(path.join(project(), "package.json"), path.join(copy, "package.json"));
  await symlink(path.join(project(), "node_modules"), path.join(copy, "node_modules"));
  // Where tests look for them.
  await symlink(path.join(project(), "scripts"), path.join(copy, "scripts"));
});
after(() => rm(copy, { recursive: true, force: true }));

/** Runs a suite on the copy. */
async function run({ file, env, only }: Suite): Promise<{ code: number | null; output: string }> {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(SAFEFILE_TEST_|NODE_TEST_CONTEXT$)/.test(name));
  const options = ["--test", "--test-reporter=tap", ...(only ? [`--test-name-pattern=${only}`] : [])];
  const child = spawn(process.execPath, [...options, path.join(copy, "dist", file)], {
    cwd: copy,
    env: { ...Object.fromEntries(inherited), ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  endWithParent(child);
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-OUTPUT_CHARS_MAX);
    });
  // In order, so that its replicas and its mounts end with it.
  const timer = setTimeout(() => child.kill("SIGTERM"), SUITE_MS_MAX);
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  clearTimeout(timer);
  return { code, output };
}

async function plant({ file, text, planted }: Plant): Promise<() => Promise<void>> {
  const target = path.join(copy, "dist", file);
  const source = await readFile(target, "utf8");
  const parts = source.split(text);
  assert.equal(parts.length, 2, `${file} holds ${JSON.stringify(text)} ${parts.length - 1} times: plant it anew`);
  await writeFile(target, parts.join(planted));
  return () => writeFile(target, source);
}

const excerpt = (output: string): string => output.slice(-3_000);

for (const [name, suite] of Object.entries(SUITES) as [keyof typeof SUITES, Suite][]) {
  const skip = suite.needsDisk ? (whyNoDisk("ext4") ?? false) : false;
  describe(`plants that ${suite.file} must find`, { skip, timeout: 3_600_000 }, () => {
    test("none: it is green", { timeout: SUITE_MS_MAX + 10_000 }, async () => {
      const { code, output } = await run(suite);
      assert.equal(code, 0, `red without a plant:\n${excerpt(output)}`);
      assert.match(output, /^# pass [1-9]/m, `nothing ran:\n${excerpt(output)}`);
      assert.match(output, /^# skipped 0/m, `something was skipped:\n${excerpt(output)}`);
    });
    for (const each of PLANTS.filter((plant) => plant.suite === name)) {
      test(each.name, { timeout: SUITE_MS_MAX + 10_000 }, async () => {
        const undo = await plant(each);
        try {
          const { code, output } = await run(suite);
          assert.notEqual(code, 0, "green in spite of the plant: a missing test");
          assert.match(output, each.says, `red for another reason:\n${excerpt(output)}`);
        } finally {
          await undo();
        }
      });
    }
  });
}
