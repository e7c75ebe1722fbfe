import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, test } from "node:test";
import { promisify } from "node:util";
import { Cleanup } from "../cluster/cleanup.js";
import { ALL_REQUIRED, languages } from "./languages.js";
import { startService } from "./service.js";

const BUILD_MS_MAX = 15 * 60_000;

/** The program that stands beside each client says the same in all languages. */
const SAID = `write: revision 1, 6 bytes
conflict: PRECONDITION_FAILED, NOT_COMMITTED, the file is at revision 2
transaction: 3 changes, all or none
watch: WRITE of watched.txt, revision 1
upload: broke off, went on, 4194304 bytes, digest equal
restore: 3 of 3 files, SUCCEEDED
`;

const cleanup = new Cleanup();
const service = startService(cleanup);
service.catch(() => undefined);
after(() => cleanup.end());
const run = promisify(execFile);

for (const { name, missing, cwd, build, example, check, test: own } of languages()) {
  const skip = missing !== undefined && !ALL_REQUIRED ? missing : false;
  test(`the example in ${name}`, { skip, timeout: BUILD_MS_MAX }, async () => {
    if (build !== undefined) await run(build[0]!, build.slice(1), { cwd });
    const { a } = await service;
    const env = { ...process.env, SAFEFILE_ADDRESS: a, SAFEFILE_DIRECTORY: `example-${name}` };
    const { stdout } = await run(example[0]!, example.slice(1), { cwd, env });
    assert.equal(stdout, SAID);
  });
  for (const [what, command] of [
    ["style and types", check],
    ["own tests", own],
  ] as const) {
    if (command === undefined) continue;
    test(`${what} of the ${name} client`, { skip, timeout: BUILD_MS_MAX }, async () => {
      await run(command[0]!, command.slice(1), { cwd, maxBuffer: 16 * 1024 * 1024 });
    });
  }
}
