// Prints the configuration of a mutation run over the compiled files that are named (scripts/mutate.sh).
import { readFileSync } from "node:fs";
import path from "node:path";

/**
 * The fastest tests that cover each folder, the fastest first, since the first that fails ends the run of a mutant; the
 * simulation comes last.
 */
const TESTS = {
  journal: [
    "journal/record",
    "journal/settled",
    "recover/past",
    "journal/writer",
    "regress/013-journal-tail",
    "journal/odd",
    "journal/journals",
    "journal/followed",
    "journal/journal",
  ],
  commit: ["commit/announcer", "commit/stage", "commit/commit"],
};
const SEEDS = 30;
const CONCURRENCY = 2;

/** All of one folder. */
const files = process.argv.slice(2);
const folder = path.basename(path.dirname(files[0]));
const mutate = files.map((file) => {
  if (file.includes(":")) return file;
  const lines = readFileSync(path.join(process.env.WORK, file), "utf8").split("\n");
  // Helpers of the compiler stand before the first import or export.
  const first = lines.findIndex((line) => /^(import|export) /.test(line)) + 1;
  return `${file}:${first}-${lines.length}`;
});
// Each by itself: the test runner's own process costs more than most of these files.
const steps = [
  ...TESTS[folder].map((name) => `node dist/test/${name}.test.js`),
  `SEEDS=${SEEDS} VIOLATIONS=1 node dist/test/sim/main.js`,
];
const configuration = {
  testRunner: "command",
  commandRunner: { command: steps.map((step) => `${step} >/dev/null 2>&1`).join(" && ") },
  mutate,
  mutator: { excludedMutations: ["StringLiteral"] },
  // Nothing here is typed any more.
  disableTypeChecks: false,
  concurrency: CONCURRENCY,
  coverageAnalysis: "off",
  // Beside half as much again as all tests take.
  timeoutMS: 6_000,
  tempDirName: path.join(process.env.WORK, "sandboxes"),
  symlinkNodeModules: true,
  ignorePatterns: ["sandboxes", "scripts"],
  allowEmpty: false,
  reporters: ["progress-append-only", "clear-text", "html", "json"],
  htmlReporter: { fileName: path.join(process.env.REPORT, "report.html") },
  jsonReporter: { fileName: path.join(process.env.REPORT, "report.json") },
  clearTextReporter: { allowColor: false, logTests: false, reportTests: false, skipFull: false },
};
process.stdout.write(`${JSON.stringify(configuration, null, 2)}\n`);
