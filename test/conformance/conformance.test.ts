import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { Cleanup } from "../cluster/cleanup.js";
import { readCases } from "./case.js";
import { Driver } from "./driver.js";
import { ALL_REQUIRED, languages } from "./languages.js";
import { runCase } from "./run.js";
import { startService } from "./service.js";
import { Table } from "./table.js";

/** A cold build fetches and compiles what it needs. */
const BUILD_MS_MAX = 15 * 60_000;
/** Cases of one language that run at the same time: its driver has to keep them apart. */
const CONCURRENCY = 4;
const OUTPUT_BYTES_MAX = 16 * 1024 * 1024;

/** The program that stands beside each client says the same in all languages. */
const EXAMPLE_SAYS = `write: revision 1, 6 bytes
conflict: PRECONDITION_FAILED, NOT_COMMITTED, the file is at revision 2
transaction: 3 changes, all or none
watch: WRITE of watched.txt, revision 1
upload: broke off, went on, 4194304 bytes, digest equal
restore: 3 of 3 files, SUCCEEDED
`;

const cleanup = new Cleanup();
const cases = readCases();
const table = new Table(cases);
const service = startService(cleanup);
service.catch(() => undefined);
after(async () => {
  await cleanup.end();
  process.stdout.write(table.text());
});

for (const { name, missing, cwd, build, driver: command, example, check, test: own } of languages()) {
  const run = (program: readonly string[], env = {}) =>
    promisify(execFile)(program[0]!, program.slice(1), {
      cwd,
      maxBuffer: OUTPUT_BYTES_MAX,
      env: { ...process.env, ...env },
    });
  if (missing !== undefined) {
    table.skip(name, missing);
    process.stderr.write(`\n*** The ${name} client is not tested here: ${missing}.\n\n`);
  }
  const skip = missing !== undefined && !ALL_REQUIRED ? missing : false;

  describe(`${name} client`, { skip, timeout: BUILD_MS_MAX }, () => {
    before(
      async () => {
        assert.equal(missing, undefined, `${name} is required here`);
        if (build !== undefined) await run(build);
      },
      { timeout: BUILD_MS_MAX },
    );

    describe("conformance", { concurrency: CONCURRENCY, timeout: BUILD_MS_MAX }, () => {
      let driver: Driver;
      before(() => {
        driver = new Driver(command, cwd, cleanup);
      });
      after(async () => assert.equal(await driver?.end(), 0, driver?.said));
      for (const one of cases) {
        test(`${one.name}: ${one.shows}`, async () => {
          table.set(name, one.name, false);
          await runCase(one, driver, await service, `${name}/${one.name}`);
          table.set(name, one.name, true);
        });
      }
    });

    if (example !== undefined) {
      test("the example", async () => {
        const env = { SAFEFILE_ADDRESS: (await service).a, SAFEFILE_DIRECTORY: `example-${name}` };
        const { stdout } = await run(example, env);
        assert.equal(stdout, EXAMPLE_SAYS);
      });
    }
    if (own !== undefined)
      test("its own tests", { timeout: BUILD_MS_MAX }, async () => {
        await run(own);
      });
    if (check !== undefined)
      test("style and types", { timeout: BUILD_MS_MAX }, async () => {
        await run(check);
      });
  });
}
