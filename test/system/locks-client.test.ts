import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { isReason, type SafefileClient } from "@safefile/client";
import { jsonLines, safefile, tempDir } from "../clients/cli.js";
import { Cluster, reasonOf } from "./locking.js";

const cluster = new Cluster();
let one: SafefileClient;
let two: SafefileClient;
let dir: string;

before(async () => {
  await cluster.start(2);
  [one, two] = cluster.clients as [SafefileClient, SafefileClient];
  dir = await tempDir(cluster.cleanup);
});
after(() => cluster.cleanup.end());

const bytes = Buffer.from("text");
const cli = (...args: string[]) => safefile(args, { address: cluster.replicas[1]!.address, cwd: dir });
const MAIN = fileURLToPath(new URL("./dist/main.js", import.meta.resolve("@safefile/cli/package.json")));

test("withLock holds a lock for longer than its ttl, and releases it", async () => {
  const result = await one.locks.withLock(
    { path: "w", subtree: true },
    async (held) => {
      const acquired = await first(two.locks.list({ path: "w" }));
      for (let look = 0; ; look++) {
        const { lock } = await first(two.locks.list({ path: "w" }));
        assert.equal(lock?.lockId, held.lockId);
        // Renewed several times over.
        if (Date.now() > Number(acquired.lock!.acquireTime!.seconds) * 1_000 + 6_000) break;
        assert.ok(look < 1_000);
        await sleep(50);
      }
      await two.write("w/a", bytes, { lockId: held.lockId, lockWaitMs: 0 });
      assert.equal(await reasonOf(two.write("w/a", bytes, { lockWaitMs: 0 })), "LOCK_TIMEOUT");
      assert.ok(held.fencingToken > 0n);
      assert.equal(held.signal.aborted, false);
      return "done";
    },
    { ttlMs: 2_000, owner: "long work" },
  );
  assert.equal(result, "done");
  await two.write("w/a", bytes, { lockWaitMs: 0 });
});

async function first<T>(items: AsyncGenerator<T>): Promise<T> {
  for await (const item of items) return item;
  return assert.fail("there is none");
}

test("withLock: when the lock is broken its signal is aborted and the whole fails, whatever the work says", async () => {
  const working = one.locks.withLock(
    ["x/a", { path: "x/b", shared: true }],
    async (held) => {
      const { outcome } = await two.locks.break(held.lockId, "it must go");
      assert.equal(outcome, 0);
      if (!held.signal.aborted)
        await new Promise((resolve) => held.signal.addEventListener("abort", resolve, { once: true }));
      assert.ok(isReason(held.signal.reason, "LOCK_LOST"), String(held.signal.reason));
      return "done";
    },
    { ttlMs: 300 },
  );
  assert.equal(await reasonOf(working), "LOCK_LOST");
});

test("a failure of the work is the failure of withLock, and the lock is released", async () => {
  const failing = one.locks.withLock("y", () => Promise.reject(new Error("of the work")));
  await assert.rejects(failing, /^Error: of the work$/);
  await two.locks.release((await two.locks.acquire("y", { lockWaitMs: 0 })).lockId);
});

test("the signal is aborted when the replica that could renew it is gone, at the end of the term at the latest", async () => {
  const three = await cluster.add();
  const replica = cluster.replicas[2]!;
  const beganMs = performance.now();
  const held = await three.locks.hold("z", { ttlMs: 1_000 });
  replica.signal("SIGSTOP");
  if (!held.signal.aborted)
    await new Promise((resolve) => held.signal.addEventListener("abort", resolve, { once: true }));
  assert.ok(performance.now() - beganMs >= 999, "it was given up while it lasted");
  replica.signal("SIGCONT");
  await replica.kill();
});

test("locks by commands: lock, put under it, locks, unlock", async () => {
  await writeFile(path.join(dir, "note"), "one");
  const locked = await cli("lock", "c/a", "c/b", "--ttl", "60", "--owner", "me");
  assert.equal(locked.code, 0, locked.stderr);
  const lockId = locked.stdout.trim();
  assert.equal((await cli("put", "note", "c/a", "--lock-id", lockId)).code, 0);
  assert.equal((await cli("lock", "c", "--tree", "--wait", "0")).code, 4);
  const [entry] = jsonLines((await cli("--json", "locks", "c")).stdout) as [
    { lockId: string; owner: string; targets: { path: string; fencingToken: number }[] },
  ];
  assert.deepEqual([entry.lockId, entry.owner, entry.targets.map((each) => each.path)], [lockId, "me", ["c/a", "c/b"]]);
  assert.ok(entry.targets.every(({ fencingToken }) => fencingToken > 0));
  assert.match((await cli("locks")).stdout, new RegExp(`held +${lockId} +c/a and 1 more +me `));
  assert.match((await cli("unlock", lockId)).stdout, /is released/);
  assert.match((await cli("unlock", lockId)).stdout, /had ended already/);
  assert.equal((await cli("put", "note", "c/a", "--lock-id", lockId)).code, 4);
});

test("lock --run: the command runs under the lock, finds its id, and gives its exit code", async () => {
  const put = `"${process.execPath}" "${MAIN}" put note r/a`;
  const { code, stderr } = await cli(
    "lock",
    "r",
    "--tree",
    "--run",
    `${put} && test "$SAFEFILE_FENCING_TOKEN" -gt 0 && exit 7`,
  );
  assert.equal(code, 7, stderr);
  assert.equal(await readFile(path.join(cluster.volume, "r/a"), "utf8"), "one");
  assert.equal((await cli("lock", "r", "--tree", "--wait", "0", "--run", "true")).code, 0, "it was released");
});

test("lock --run: the command is told to end when the lock is broken, and break-lock says so", async () => {
  const running = cli("lock", "b/a", "--ttl", "1", "--owner", "runner", "--run", "sleep 60");
  let lockId = "";
  for (let look = 0; lockId === ""; look++) {
    assert.ok(look < 1_000);
    await sleep(10);
    for await (const { lock } of one.locks.list({ path: "b" })) lockId = lock?.lockId ?? "";
  }
  const broken = await cli("--json", "break-lock", lockId, "--reason", "it hangs");
  assert.equal(broken.code, 0, broken.stderr);
  assert.equal(JSON.parse(broken.stdout).lock.owner, "runner");
  const { code, stderr } = await running;
  assert.equal(code, 4, stderr);
  assert.match(stderr, /LOCK_LOST/);
  assert.equal((await cli("break-lock", lockId)).code, 2, "a reason is needed");
});

test("locks --follow tells of locks as they come and go", async () => {
  const { address } = cluster.replicas[0]!;
  const following = safefile(["locks", "f", "--follow", "--clients-only"], { address, interruptAt: /released/ });
  let isOver = false;
  const followed = following.finally(() => {
    isOver = true;
  });
  while (!isOver) {
    await two.locks.release((await two.locks.acquire("f")).lockId);
    await sleep(50);
  }
  const { stdout, code } = await followed;
  assert.equal(code, 0);
  assert.match(stdout, /(held|acquired) .* f .*\n.*released /);
});
