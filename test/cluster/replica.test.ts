import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { Cleanup } from "./cleanup.js";
import { startReplica } from "./replica.js";
import { tempVolume } from "./volume.js";

// Programs that behave like a server at its start, so that this tests the harness and not the server.
const says = (line: string) => `console.log(${line}); setInterval(() => {}, 1000);`;
const READY = says(`JSON.stringify({ msg: "ready", address: process.env.SAFEFILE_LISTEN, incarnation: "01J" })`);

test("a replica is given its settings, is ready when it says so, and ends as asked", async (t) => {
  const { options } = await program(t, READY);
  const first = await startReplica({ ...options, redis: ["redis://a", "redis://b"] });
  assert.equal(first.address, "127.0.0.1:0");
  assert.equal(first.incarnation, "01J");
  assert.match(first.logs(), /"ready"/);
  assert.deepEqual(await first.kill(), { code: null, signal: "SIGKILL" });

  const second = await startReplica({ ...options, env: { SAFEFILE_LISTEN: "127.0.0.1:7" } });
  assert.equal(second.address, "127.0.0.1:7");
  second.signal("SIGSTOP");
  assert.deepEqual(await second.stop(), { code: null, signal: "SIGTERM" });
  assert.throws(() => process.kill(second.pid, 0), { code: "ESRCH" });
});

test("its configuration is the safefile.yaml of its working directory; settings of the test do not leak", async (t) => {
  process.env.SAFEFILE_TEST_KILLS ??= "20";
  const { options } = await program(
    t,
    `console.log(require("node:fs").readFileSync("safefile.yaml", "utf8"), process.env.SAFEFILE_TEST_KILLS);${READY}`,
  );
  const replica = await startReplica({ ...options, config: { limits: { streamsMax: 3 } } });
  assert.match(replica.logs(), /^\{"limits":\{"streamsMax":3\}\} undefined\n/);
});

test("a replica that ends, or says nothing, before it is ready is reported with its logs", async (t) => {
  const ends = await program(t, `console.error("no volume here"); process.exit(3);`);
  await assert.rejects(startReplica(ends.options), /ended with code 3 before it was ready:\nno volume here/);
  const hangs = await program(t, says(`"starting"`));
  await assert.rejects(startReplica({ ...hangs.options, readyMsMax: 500 }), /not ready within 500 ms:\nstarting/);
});

async function program(t: test.TestContext, source: string) {
  const cleanup = Cleanup.of(t);
  const volume = await tempVolume(cleanup);
  const file = path.join(volume, "main.cjs");
  await writeFile(file, source);
  const main = path.relative(fileURLToPath(new URL("../../", import.meta.url)), file);
  return { options: { cleanup, volume, redis: ["redis://127.0.0.1:1"], main } };
}
