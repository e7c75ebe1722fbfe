import assert from "node:assert/strict";
import { connect } from "node:net";
import test from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Cleanup } from "./cleanup.js";
import { startRedis } from "./redis.js";

test("a server answers when it is started and its process is gone when the test ends", async (t) => {
  const cleanup = Cleanup.of(t);
  const redis = await startRedis({ cleanup });
  assert.equal(redis.url, `redis://127.0.0.1:${redis.port}`);
  assert.equal(await command(redis.port, "SET path head"), "+OK");
  await cleanup.end();
  assert.throws(() => process.kill(redis.pid, 0), { code: "ESRCH" });
});

test("three servers have ports and directories of their own", async (t) => {
  const cleanup = Cleanup.of(t);
  const servers = await Promise.all([1, 2, 3].map(() => startRedis({ cleanup })));
  assert.equal(new Set(servers.map(({ port }) => port)).size, 3);
  assert.equal(new Set(servers.map(({ dir }) => dir)).size, 3);
});

test("an append-only server that was killed comes back on its port with its data", async (t) => {
  const cleanup = Cleanup.of(t);
  const before = await startRedis({ cleanup, appendonly: true });
  assert.equal(await command(before.port, "SET path head"), "+OK");
  await before.kill();
  const { port, dir } = before;
  const after = await startRedis({ cleanup, appendonly: true, port, dir });
  assert.notEqual(after.pid, before.pid);
  assert.equal(await command(after.port, "GET path"), "$4");
});

test("a stopped server does not answer until it continues, and stop ends it either way", async (t) => {
  const redis = await startRedis({ cleanup: Cleanup.of(t) });
  redis.signal("SIGSTOP");
  assert.equal(await Promise.race([command(redis.port, "PING"), sleep(200, "silence")]), "silence");
  redis.signal("SIGCONT");
  assert.equal(await command(redis.port, "PING"), "+PONG");
  redis.signal("SIGSTOP");
  await redis.stop();
  assert.throws(() => process.kill(redis.pid, 0), { code: "ESRCH" });
});

test("a port that another server holds is reported, and that server is not taken for the new one", async (t) => {
  const cleanup = Cleanup.of(t);
  const { port } = await startRedis({ cleanup });
  await assert.rejects(startRedis({ cleanup, port }), /did not start/);
});

/** The first line of the answer to one inline command. */
function command(port: number, line: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(`${line}\r\n`));
    socket.once("error", reject);
    socket.once("data", (chunk) => {
      socket.destroy();
      resolve(chunk.toString().split("\r\n")[0]!);
    });
  });
}
