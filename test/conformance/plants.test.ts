import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Cleanup } from "../cluster/cleanup.js";
import { readCases } from "./case.js";
import { Driver } from "./driver.js";
import { languages } from "./languages.js";
import { Failed, runCase } from "./run.js";
import { startService } from "./service.js";

const CONCURRENCY = 4;
const SUITE_MS_MAX = 15 * 60_000;

const cleanup = new Cleanup();
const service = startService(cleanup);
service.catch(() => undefined);
after(() => cleanup.end());

// Which client it is matters little here: what is tested are the cases. The others do it in `make conformance-plants`.
const [first, ...others] = languages();
const planted = process.env.SAFEFILE_TEST_PLANTS === "all" ? [first!, ...others] : [first!];

for (const language of planted) {
  describe(`each case fails with the ${language.name} client when the server behaves otherwise`, {
    concurrency: CONCURRENCY,
    timeout: SUITE_MS_MAX,
  }, () => {
    let driver: Driver;
    before(() => {
      driver = new Driver(language.driver, language.cwd, cleanup);
    });
    after(() => driver?.end());
    for (const one of readCases()) {
      for (const [place, plant] of one.plants.entries()) {
        test(`${one.name}, plant ${place + 1}`, async () => {
          const run = runCase(one, driver, await service, `${language.name}/${one.name}-${place}`, plant);
          await assert.rejects(run, Failed);
        });
      }
    }
  });
}
