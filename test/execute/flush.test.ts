import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readdir, readFile, stat } from "node:fs/promises";
import path from "node:path";
import { type TestContext, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { KeptFiles } from "../../services/execute/kept-files.js";
import { keptKey } from "../../services/execute/kept-name.js";
import { KeptUpload } from "../../services/execute/kept-upload.js";
import { operationId } from "../../services/model/operation.js";
import { openFormat } from "../../services/protocol/format.js";
import { PosixVolume } from "../../services/volume/posix.js";
import type { Handle, Volume } from "../../services/volume/volume.js";
import { Cleanup } from "../cluster/cleanup.js";
import { tempVolume } from "../cluster/volume.js";

const LIMITS = { inlineBytesMax: 1_000, uploadBytesMax: 1_000_000, uploadSyncBytes: 50_000 };
const PIECE = randomBytes(60_000);

/** An upload whose flushes end when the test says so; how many of its calls to flush are waiting is `flushes.length`. */
async function start(t: TestContext) {
  const cleanup = Cleanup.of(t);
  const root = await tempVolume(cleanup);
  const real = await PosixVolume.open(root, "local", (error) => assert.fail(String(error.cause)));
  cleanup.defer(() => real.close());
  await openFormat(real);
  const flushes: PromiseWithResolvers<void>[] = [];
  const holding = (handle: Handle): Handle =>
    new Proxy(handle, {
      get(target, key) {
        const value: unknown = Reflect.get(target, key, target);
        if (key === "sync")
          return async () => {
            const flush = Promise.withResolvers<void>();
            flushes.push(flush);
            await flush.promise;
            await target.sync();
          };
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  const volume = new Proxy<Volume>(real, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key, target);
      if (key === "create") return async (name: never) => holding(await target.create(name));
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  const operation = operationId("01JZZZZZZZZZZZZZZZZZZZZZZA" as never, 1);
  const facts = { key: keptKey("main", "a.bin", "mine"), operation, path: "a.bin", uploadId: "mine" };
  const files = new KeptFiles(volume, 100);
  const upload = new KeptUpload(files, facts, LIMITS);
  const directory = path.join(root, ".safefile/uploads");
  /** What a power cut is said to leave. */
  const believed = async (): Promise<number> => {
    const name = (await readdir(directory)).find((leaf) => leaf.endsWith(".state"));
    return name ? JSON.parse(await readFile(path.join(directory, name), "utf8")).syncedBytes : 0;
  };
  const sizeBytes = async (): Promise<number> => {
    const name = (await readdir(directory)).find((leaf) => !leaf.includes(".state"));
    return name ? (await stat(path.join(directory, name))).size : 0;
  };
  return { upload, flushes, believed, sizeBytes, held: () => files.best(facts.key) };
}

async function until(holds: () => boolean | Promise<boolean>, what: string): Promise<void> {
  for (let look = 0; !(await holds()); look++) {
    assert.ok(look < 5_000, what);
    await setImmediate();
  }
}

test("I7: an upload is flushed beside what is received, and believed as far as it was when the flush began", async (t) => {
  const { upload, flushes, believed } = await start(t);
  await upload.write(PIECE, 0);
  await until(() => flushes.length === 1, "no flush began");
  await upload.write(PIECE.subarray(0, 40_000), PIECE.length);
  assert.equal(await believed(), 0, "a flush under way was believed");
  flushes[0]?.resolve();
  await until(async () => (await believed()) > 0, "the flush was not recorded");
  assert.equal(await believed(), PIECE.length, "what came while it was flushed may not have been");
  const disposed = upload[Symbol.asyncDispose]();
  await until(() => flushes.length === 2, "what is left was not flushed");
  flushes[1]?.resolve();
  await disposed;
  assert.equal(await believed(), PIECE.length + 40_000);
});

test("of one upload at most one flush is under way, and no more is received than may be lost", async (t) => {
  const { upload, flushes, sizeBytes } = await start(t);
  await upload.write(PIECE, 0);
  let isReceived = false;
  const second = upload.write(PIECE, PIECE.length).then(() => {
    isReceived = true;
  });
  await until(() => flushes.length === 1, "no flush began");
  await until(async () => (await sizeBytes()) === 2 * PIECE.length, "the second piece was not written");
  assert.equal(isReceived, false, "went on without bound");
  assert.equal(flushes.length, 1);
  flushes[0]?.resolve();
  await second;
  await until(() => flushes.length === 2, "the second flush did not begin");
  flushes[1]?.resolve();
  upload.drop();
  await upload[Symbol.asyncDispose]();
});

test("I10: a flush that failed beside an upload fails the upload; it is not asked again, and nothing is kept", async (t) => {
  const { upload, flushes, held } = await start(t);
  await upload.write(PIECE, 0);
  await until(() => flushes.length === 1, "no flush began");
  flushes[0]?.reject(Object.assign(new Error("input/output error"), { code: "EIO" }));
  await assert.rejects(upload.finish(), /input\/output error/);
  // The kernel tells of a failure once. Another flush would never end here.
  await upload[Symbol.asyncDispose]();
  assert.equal(flushes.length, 1);
  assert.equal(await held(), undefined);
});
