// Runs the compiled tests and closes with one line: `N passed, N failed, N skipped`.
//
//   node scripts/test.mjs [words]     only files whose path holds one of the words
//
// Fails when a test fails, when none ran, and when a source has no compiled twin: a test that silently
// stopped running is a failing test.
import { execFileSync } from "node:child_process";
import { existsSync, globSync } from "node:fs";
import { availableParallelism } from "node:os";
import path from "node:path";
import { run } from "node:test";
import { spec } from "node:test/reporters";

/** Tests start servers of their own, so more at once only makes their timings worse. */
const CONCURRENCY = Math.min(2, availableParallelism());
/** For one test; one that needs longer says so itself. */
const TEST_MS_MAX = 120_000;
/** For all of it: ends a run whose test file does not exit. */
const RUN_MS_MAX = Number(process.env.SAFEFILE_TEST_MINUTES ?? 40) * 60_000;

const root = path.resolve(import.meta.dirname, "..");
const words = process.argv.slice(2);

/** Sources decide what runs, so output left behind by a deleted test does not. */
function compiledTests() {
  const projects = [
    { from: "", into: "dist", patterns: ["test/**/*.test.ts", "services/**/*.test.ts"] },
    ...["typescript", "cli"].map((name) => ({
      from: `clients/${name}/src`,
      into: `clients/${name}/dist`,
      patterns: ["**/*.test.ts"],
    })),
  ];
  return projects.flatMap(({ from, into, patterns }) =>
    globSync(patterns, { cwd: path.join(root, from) })
      .filter((source) => words.length === 0 || words.some((word) => path.join(from, source).includes(word)))
      .map((source) => path.join(root, into, source.replace(/\.ts$/, ".js")))
      .sort(),
  );
}

function finish({ passed, failed, skipped }) {
  process.stdout.write(`${passed} passed, ${failed} failed, ${skipped} skipped\n`);
  process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
}

const files = compiledTests();
const missing = files.filter((file) => !existsSync(file));
if (files.length === 0 || missing.length > 0) {
  for (const file of missing) console.error(`Not compiled: ${path.relative(root, file)}. Run \`make build\`.`);
  if (files.length === 0) console.error("No test was found.");
  finish({ passed: 0, failed: Math.max(1, missing.length), skipped: 0 });
} else {
  process.env.REDIS_SERVER_BIN ??= execFileSync(path.join(root, "scripts/ensure-redis.sh"), {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  }).trim();

  let totals = { passed: 0, failed: 1, skipped: 0 };
  const events = run({
    files,
    cwd: root,
    execArgv: ["--enable-source-maps"],
    concurrency: CONCURRENCY,
    timeout: TEST_MS_MAX,
    signal: AbortSignal.timeout(RUN_MS_MAX),
  });
  // A file without a test is reported as one passing test with the file's name.
  const empty = new Set();
  events.on("test:pass", ({ name, nesting }) => {
    if (nesting === 0 && files.includes(name)) empty.add(name);
  });
  events.on("test:summary", ({ file, counts }) => {
    // One summary for each file, and one without a file for all of them.
    if (file !== undefined) return;
    totals = {
      passed: counts.passed,
      failed: counts.failed + counts.cancelled,
      skipped: counts.skipped + counts.todo,
    };
  });
  const report = events.compose(spec);
  report.on("end", () => {
    for (const file of empty) console.error(`Holds no test: ${path.relative(root, file)}`);
    finish({ ...totals, passed: totals.passed - empty.size, failed: totals.failed + empty.size });
  });
  report.pipe(process.stdout);
}
