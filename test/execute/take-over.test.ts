import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { type TestContext, test } from "node:test";
import { SafeOperationError } from "../../services/errors/index.js";
import { KeptFiles } from "../../services/execute/kept-files.js";
import { keptKey } from "../../services/execute/kept-name.js";
import { KeptUpload } from "../../services/execute/kept-upload.js";
import { operationId } from "../../services/model/operation.js";
import { openFormat } from "../../services/protocol/format.js";
import { uploadName } from "../../services/protocol/names.js";
import { PosixVolume } from "../../services/volume/posix.js";
import { codeOf, oneByOne, type Volume } from "../../services/volume/volume.js";
import { Cleanup } from "../cluster/cleanup.js";
import { tempVolume } from "../cluster/volume.js";

const BYTES = randomBytes(300_000);
const HALF = 200_000;
const LIMITS = { inlineBytesMax: 1_000, uploadBytesMax: 1_000_000, uploadSyncBytes: 50_000 };
const KEY = keptKey("main", "a.bin", "mine");
const NEVER = new AbortController().signal;
const INCARNATIONS = ["01JZZZZZZZZZZZZZZZZZZZZZZA", "01JZZZZZZZZZZZZZZZZZZZZZZB", "01JZZZZZZZZZZZZZZZZZZZZZZC"];
let sequence = 0;

/** The volume as one process sees it: `before` runs before each of its calls. */
function seenBy(real: Volume, before: (call: string) => Promise<void>): Volume {
  return new Proxy(real, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key, target);
      if (key === "inOrder") return oneByOne;
      if (typeof value !== "function" || key === "control") return value;
      return async (...args: unknown[]) => {
        await before(String(key));
        return await value.apply(target, args);
      };
    },
  });
}

function stream(volume: Volume, incarnation = INCARNATIONS[0]!): KeptUpload {
  sequence += 1;
  const operation = operationId(incarnation as never, sequence);
  const facts = { key: KEY, operation, path: "a.bin", uploadId: "mine" };
  return new KeptUpload(new KeptFiles(volume, 100), facts, LIMITS);
}

/** Takes over what is there and sends the rest in pieces. */
async function carryOn(upload: KeptUpload, until = BYTES.length): Promise<void> {
  await upload.takeOver(NEVER);
  for (let at = upload.sizeBytes; at < until; at += 40_000)
    await upload.write(BYTES.subarray(at, Math.min(at + 40_000, until)), at);
}

/** What staging does with a finished upload: by its name, so that it fails when the name was taken away. */
async function commit(volume: Volume, upload: KeptUpload, as: string): Promise<void> {
  const source = await upload.finish();
  assert(source.from === "upload");
  const name = volume.control(uploadName(source.uploadId));
  await volume.link(name, volume.control(`found-${as}`));
  await volume.unlink(name);
  assert.deepEqual(source.sha256, createHash("sha256").update(BYTES).digest());
}

async function start(t: TestContext) {
  const cleanup = Cleanup.of(t);
  const root = await tempVolume(cleanup);
  const volume = await PosixVolume.open(root, "local", (error) => assert.fail(String(error.cause)));
  cleanup.defer(() => volume.close());
  await openFormat(volume);
  const names = async () => (await readdir(path.join(root, ".safefile/uploads"))).sort();
  const committed = async (as: string) => readFile(path.join(root, `.safefile/found-${as}`));
  return { volume, names, committed };
}

test("I7: a process that dies at any call of taking over leaves what was held, and the next one goes on", async (t) => {
  const { volume, names, committed } = await start(t);
  const files = new KeptFiles(volume, 100);
  let isThrough = false;
  let calls = 0;
  for (; !isThrough; calls++) {
    {
      await using first = stream(volume);
      await carryOn(first, HALF);
    }
    let callsLeft = calls;
    const dying = seenBy(volume, async () => {
      if (callsLeft-- <= 0) throw new Error("dead");
    });
    const second = stream(dying, INCARNATIONS[1]);
    await carryOn(second, HALF + 10).then(
      () => {
        isThrough = true;
      },
      (error: unknown) => assert.match(String(error), /dead/),
    );
    const held = await files.best(KEY);
    assert.ok(held && held.trustedBytes >= HALF, `after ${calls} calls ${held?.trustedBytes} bytes are held`);
    {
      await using third = stream(volume, INCARNATIONS[2]);
      await carryOn(third);
      await commit(volume, third, String(calls));
    }
    assert.ok((await committed(String(calls))).equals(BYTES));
    // A state whose bytes are gone means nothing; the cleaner has it.
    const left = (await names()).filter((name) => !/\.state(\.new)?$/.test(name));
    assert.deepEqual(left, [], `after ${calls} calls bytes are left`);
    await files.removeOlder(Date.now() + 60_000);
    assert.deepEqual(await names(), [], `after ${calls} calls something is left`);
  }
  assert.ok(calls > 8, `only ${calls} calls were there to die at`);
});

const ROUNDS = 60;

test(`of three streams at once, in ${ROUNDS} orders, one commits, and every file that is committed is whole`, async (t) => {
  const { volume, names, committed } = await start(t);
  let refused = 0;
  for (let seed = 1; seed <= ROUNDS; seed++) {
    let state = seed;
    const random = (below: number) => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
      return (state >>> 8) % below;
    };
    const slow = seenBy(volume, async () => {
      for (let turns = random(4); turns > 0; turns--) await new Promise((resolve) => setImmediate(resolve));
    });
    const outcomes = await Promise.all(
      INCARNATIONS.map(async (incarnation, at) => {
        for (let turns = random(40); turns > 0; turns--) await new Promise((resolve) => setImmediate(resolve));
        await using upload = stream(slow, incarnation);
        try {
          await carryOn(upload);
          await commit(slow, upload, `${seed}-${at}`);
          return "COMMITTED";
        } catch (error) {
          const isTaken = error instanceof SafeOperationError && error.reason === "LOCK_FENCED";
          // The name was taken away between the last look and the link.
          if (!isTaken && codeOf(error) !== "ENOENT") throw error;
          refused += 1;
          return "REFUSED";
        }
      }),
    );
    assert.ok(outcomes.includes("COMMITTED"), `seed ${seed}: nobody committed`);
    for (const [at, outcome] of outcomes.entries())
      if (outcome === "COMMITTED") assert.ok((await committed(`${seed}-${at}`)).equals(BYTES), `seed ${seed}`);
    assert.deepEqual(await names(), [], `seed ${seed}`);
  }
  t.diagnostic(`${refused} of ${3 * ROUNDS} streams were told that another took over`);
  assert.ok(refused > ROUNDS / 2, "the streams hardly met");
});
