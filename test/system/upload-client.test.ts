import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { connect, createServer, type Socket } from "node:net";
import path from "node:path";
import { test } from "node:test";
import { SafefileClient } from "@safefile/client";
import { safefile, tempDir } from "../clients/cli.js";
import { Cleanup } from "../cluster/cleanup.js";
import { Cluster } from "../crash/cluster.js";
import { keptFiles, received, until, uploadNames } from "./upload-stream.js";

const MIB = 1024 * 1024;
const BYTES = randomBytes(24 * MIB);
const timeout = 120_000;
const CONFIG = { incarnationDeadMs: 600_000, uploadSyncBytes: MIB };

/** A way to `address` that can be cut, once `afterBytes` have gone through it, as often as `cuts` says. */
async function flaky(cleanup: Cleanup, address: string, afterBytes: number, cuts: number) {
  const [host = "", port = ""] = address.split(":");
  const sockets = new Set<Socket>();
  const counts = { cut: 0 };
  const server = createServer((near) => {
    const far = connect(Number(port), host);
    let through = 0;
    for (const each of [near, far]) {
      sockets.add(each);
      each.on("error", () => undefined);
      // What has come through so far arrives: else it would depend on the kernel's buffers how much that is.
      each.on("close", () => (each === near ? far.end() : near.destroy()));
    }
    near.on("data", (data) => {
      through += data.length;
      if (!far.write(data)) {
        near.pause();
        far.once("drain", () => near.resume());
      }
      if (through < afterBytes || counts.cut >= cuts) return;
      counts.cut += 1;
      near.destroy();
    });
    far.on("data", (data) => void near.write(data));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  cleanup.defer(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { address: `127.0.0.1:${(server.address() as { port: number }).port}`, counts };
}

for (const [what, source, sizeBytes] of [
  ["bytes in memory", BYTES, undefined],
  ["a source that can be read again", () => [BYTES], BYTES.length],
  ["a source of unknown size", () => [BYTES], undefined],
] as const) {
  test(`an upload of ${what} goes on over three broken connections`, { timeout }, async (t) => {
    const cleanup = Cleanup.of(t);
    const cluster = await Cluster.start(cleanup, 1, CONFIG);
    const { address, counts } = await flaky(cleanup, cluster.running[0]!.replica.address, 5 * MIB, 3);
    const client = new SafefileClient({ address, retry: { attemptsMax: 3, backoffMsMin: 10 } });
    cleanup.defer(() => client.close());
    const resumed: number[] = [];
    const onResumed = (offset: number) => void resumed.push(offset);
    const size = sizeBytes === undefined ? {} : { sizeBytes };
    const { revision, replayed } = await client.upload("a.bin", source, { ...size, onResumed });
    assert.deepEqual([counts.cut, revision?.revision, replayed], [3, 1n, false]);
    assert.ok(resumed.length >= 3 && resumed.every((offset, at) => at === 0 || offset >= resumed[at - 1]!));
    // How much of what went through was kept is up to buffers on the way; it grows with each.
    assert.ok(resumed.at(-1)! > MIB, `resumed at ${resumed}`);
    assert.ok((await readFile(path.join(cluster.volume, "a.bin"))).equals(BYTES));
    await until(async () => ((await uploadNames(cluster.volume)).length === 0 ? true : undefined));
  });
}

test("I7: an upload goes on through another replica when the first is killed", { timeout }, async (t) => {
  const cleanup = Cleanup.of(t);
  const cluster = await Cluster.start(cleanup, 2, CONFIG);
  const addresses = cluster.running.map(({ replica }) => replica.address).join(",");
  const client = new SafefileClient({ address: `ipv4:${addresses}`, retry: { backoffMsMin: 10 } });
  cleanup.defer(() => client.close());
  const stoodAt: number[] = [];
  const { promise: killed, resolve: kill } = Promise.withResolvers<void>();
  async function* source() {
    yield BYTES.subarray(0, 10 * MIB);
    await killed;
    yield BYTES.subarray(10 * MIB);
  }
  const done = client.upload("a.bin", () => source(), { onProgress: (sentBytes) => void stoodAt.push(sentBytes) });
  await received(cluster.volume, 8 * MIB);
  await cluster.running[0]!.replica.kill();
  const before = stoodAt.length;
  kill();
  await done;
  const [lowest] = stoodAt.slice(before).sort((left, right) => left - right);
  assert.ok(lowest !== undefined && lowest >= 8 * MIB, `went on from ${lowest}`);
  assert.ok((await readFile(path.join(cluster.volume, "a.bin"))).equals(BYTES));
});

test("put goes on where the same command was broken off before, and says so", { timeout }, async (t) => {
  const cleanup = Cleanup.of(t);
  const cluster = await Cluster.start(cleanup, 1, CONFIG);
  const dir = await tempDir(cleanup);
  await writeFile(path.join(dir, "large"), BYTES);
  const { replica } = cluster.running[0]!;
  const way = await flaky(cleanup, replica.address, 8 * MIB, 1_000);
  // Every connection is cut; the command gives up only when nothing more gets through.
  const running = safefile(["put", "large", "a.bin"], { address: way.address, cwd: dir });
  const kept = await received(cluster.volume, 4 * MIB);
  assert.ok(kept.sizeBytes > 0);
  const first = await running;
  const says = /resumed at [\d.]+ MiB of 24/;
  if (first.code === 0) assert.match(first.stderr, says);

  const client = new SafefileClient({ address: replica.address });
  cleanup.defer(() => client.close());
  const aborted = new AbortController();
  const sha256 = createHash("sha256").update(BYTES).digest();
  const source = () => createReadStream(path.join(dir, "large"));
  const options = { uploadId: "mine", sizeBytes: BYTES.length, sha256 };
  const onProgress = (sent: number) => void (sent > 12 * MIB && aborted.abort());
  await assert.rejects(client.upload("b.bin", source, { ...options, onProgress, signal: aborted.signal }));
  await until(async () => (await keptFiles(cluster.volume)).at(0));
  const offsets: number[] = [];
  await client.upload("b.bin", source, { ...options, onResumed: (offset) => void offsets.push(offset) });
  assert.ok(offsets.length === 1 && offsets[0]! > MIB, `resumed at ${offsets}`);
  assert.ok((await readFile(path.join(cluster.volume, "b.bin"))).equals(BYTES));

  const cut = await flaky(cleanup, replica.address, 10 * MIB, 1);
  const json = await safefile(["--json", "put", "large", "c.bin"], { address: cut.address, cwd: dir });
  assert.equal(json.code, 0, json.stderr);
  assert.ok(JSON.parse(json.stdout).resumedAtBytes > 0);
  const again = await flaky(cleanup, replica.address, 10 * MIB, 1);
  const plain = await safefile(["put", "large", "d.bin"], { address: again.address, cwd: dir });
  assert.equal(plain.code, 0, plain.stderr);
  assert.match(plain.stderr, says);
});
