import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { after, before, describe, test } from "node:test";
import { Cleanup } from "../cluster/cleanup.js";
import { readCases } from "./case.js";
import { Driver } from "./driver.js";
import { ALL_REQUIRED, type Language, languages } from "./languages.js";
import { runCase } from "./run.js";
import { startService } from "./service.js";
import { Table } from "./table.js";

/** A cold build fetches what it needs. */
const BUILD_MS_MAX = 15 * 60_000;
/** Cases of one language that run at the same time: its driver has to keep them apart. */
const CONCURRENCY = 4;

const cleanup = new Cleanup();
const cases = readCases();
const table = new Table(cases);
const service = startService(cleanup);
service.catch(() => undefined);
after(async () => {
  await cleanup.end();
  process.stdout.write(table.text());
});

for (const language of languages()) {
  const { name, missing } = language;
  if (missing !== undefined) {
    table.skip(name, missing);
    process.stderr.write(`\n*** The ${name} client is not tested here: ${missing}.\n\n`);
  }
  const skip = missing !== undefined && !ALL_REQUIRED ? missing : false;
  describe(`${name} client`, { skip, concurrency: CONCURRENCY }, () => {
    let driver: Driver;
    before(
      () => {
        assert.equal(missing, undefined, `${name} is required here`);
        build(language);
        driver = new Driver(language.driver, language.cwd, cleanup);
      },
      { timeout: BUILD_MS_MAX },
    );
    after(async () => assert.equal(await driver?.end(), 0, driver?.said));
    for (const one of cases) {
      test(`${one.name}: ${one.shows}`, async () => {
        table.set(name, one.name, false);
        await runCase(one, driver, await service, `${name}/${one.name}`);
        table.set(name, one.name, true);
      });
    }
  });
}

function build({ name, build: command, cwd }: Language): void {
  if (command === undefined) return;
  const { status, stdout, stderr } = spawnSync(command[0]!, command.slice(1), { cwd, encoding: "utf8" });
  assert.equal(status, 0, `the ${name} client does not build:\n${stdout}\n${stderr}`.slice(-8_000));
}
