import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import test from "node:test";
import { SafefileClient } from "@safefile/client";
import { Cleanup } from "../cluster/cleanup.js";
import { tempVolume } from "../cluster/volume.js";
import { isRunning, type Program, startProgram } from "./program.js";

const FILE = "notes/today.txt";

test("a run serves ./data, and a later one finds what it left there", async (t) => {
  const cleanup = Cleanup.of(t);
  const dir = await tempVolume(cleanup);
  const first = start(cleanup, dir);
  const client = await connect(cleanup, first);
  await client.write(FILE, Buffer.from("one"));
  await client.write(FILE, Buffer.from("two"));
  assert.equal(Buffer.from((await client.read(FILE)).bytes).toString(), "two");
  assert.equal(await readFile(path.join(dir, "data", FILE), "utf8"), "two", "files are plain files");
  assert.deepEqual((await readdir(path.join(dir, "data"))).sort(), [".safefile", "notes"]);
  assert.match(first.output(), / node_modules\/\.bin\/safefile rollback try\/package\.json 1\n/);
  client.close();

  const pids = await childrenOf(dir);
  assert.equal(pids.length, 2);
  first.signal("SIGTERM");
  assert.equal(await first.exited, 0, first.output());
  for (const pid of pids) assert.equal(isRunning(pid), false, `process ${pid}`);
  assert.deepEqual(await readdir(path.join(dir, ".run")), ["redis"]);

  const later = await connect(cleanup, start(cleanup, dir));
  const revisions: number[] = [];
  for await (const { revision } of later.revisions(FILE)) revisions.push(Number(revision));
  assert.deepEqual(revisions, [2, 1]);
  assert.equal(Buffer.from((await later.readRevision(FILE, 1)).bytes).toString(), "one");
});

test("a second run on the same data is refused, and so is a port that is taken", async (t) => {
  const cleanup = Cleanup.of(t);
  const dir = await tempVolume(cleanup);
  const first = start(cleanup, dir);
  const address = await addressOf(first);
  const second = start(cleanup, dir);
  assert.equal(await second.exited, 1);
  assert.equal(
    second.output(),
    `Another \`make run\` (process ${first.pid}) serves ${path.join(dir, "data")}. ` +
      `Use that one, or end it with: kill ${first.pid}\n`,
  );

  const elsewhere = await tempVolume(cleanup);
  const third = start(cleanup, elsewhere, { SAFEFILE_LISTEN: address });
  assert.equal(await third.exited, 1);
  assert.match(third.output(), new RegExp(`^${address} is taken by another program\\. Stop that, or choose another`));
  assert.deepEqual(await readdir(path.join(elsewhere, ".run")), [], "it holds nothing when it has ended");
});

test("a replica that dies is started again on its address; a run that dies leaves nothing to trip over", async (t) => {
  const cleanup = Cleanup.of(t);
  const dir = await tempVolume(cleanup);
  const first = start(cleanup, dir);
  const client = await connect(cleanup, first);
  await client.write(FILE, Buffer.from("one"));
  const [, replica] = await childrenOf(dir);
  process.kill(replica!, "SIGKILL");
  await first.waitFor(/The replica ended; starting it again\..*Ready again\./s);
  await client.write(FILE, Buffer.from("two"));

  const orphans = await childrenOf(dir);
  first.signal("SIGKILL");
  assert.equal(await first.exited, "SIGKILL");
  assert.ok(orphans.every(isRunning), "nobody was there to end them");
  const second = start(cleanup, dir);
  const after = await connect(cleanup, second);
  for (const pid of orphans) {
    assert.equal(isRunning(pid), false, `process ${pid}`);
    assert.match(second.output(), new RegExp(`Ending process ${pid}, which an earlier`));
  }
  assert.equal(Buffer.from((await after.read(FILE)).bytes).toString(), "two");
});

test("Redis that dies is started again with what it knew", async (t) => {
  const cleanup = Cleanup.of(t);
  const dir = await tempVolume(cleanup);
  const run = start(cleanup, dir);
  const client = await connect(cleanup, run);
  await client.write(FILE, Buffer.from("one"));
  const [redis] = await childrenOf(dir);
  process.kill(redis!, "SIGKILL");
  await run.waitFor(/Redis ended; starting it again\./);
  const result = await client.write(FILE, Buffer.from("two"));
  assert.equal(result.backupRevision, 1n);
});

test("settings that cannot be used, and a volume around the state, are refused in a sentence", async (t) => {
  const cleanup = Cleanup.of(t);
  const dir = await tempVolume(cleanup);
  const everywhere = start(cleanup, dir, { SAFEFILE_LISTEN: "0.0.0.0:7420" });
  assert.equal(await everywhere.exited, 78);
  assert.match(everywhere.output(), /^The settings cannot be used:\nlisten: must be a loopback address/);
  const around = start(cleanup, dir, { SAFEFILE_VOLUME_ROOT: "." });
  assert.equal(await around.exited, 1);
  assert.match(around.output(), /must not hold .*\.run: name another with SAFEFILE_VOLUME_ROOT/);
  assert.deepEqual(await readdir(dir), []);
});

function start(cleanup: Cleanup, cwd: string, env: Readonly<Record<string, string>> = {}): Program {
  // What is killed leaves its lease behind, and the next change waits for its end.
  const settings = { SAFEFILE_LISTEN: "127.0.0.1:0", SAFEFILE_LEASE_MS: "2000", ...env };
  return startProgram({ cleanup, main: "services/run.js", cwd, env: settings });
}

const addressOf = async (run: Program): Promise<string> => (await run.waitFor(/^Safefile is ready at (\S+)\. /m))[1]!;

async function connect(cleanup: Cleanup, run: Program): Promise<SafefileClient> {
  const retry = { attemptsMax: 100, backoffMsMax: 500 };
  const client = new SafefileClient({ address: await addressOf(run), retry });
  cleanup.defer(() => client.close());
  return client;
}

/** Redis and the replica, in that order. */
async function childrenOf(dir: string): Promise<number[]> {
  const text = await readFile(path.join(dir, ".run/run.json"), "utf8");
  return (JSON.parse(text) as { children: { pid: number }[] }).children.map(({ pid }) => pid);
}
