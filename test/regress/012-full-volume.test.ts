import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { toSafeOperationError } from "../../services/api/status.js";
import type { FilePath } from "../../services/model/path.js";
import type { Handle } from "../../services/volume/volume.js";
import { type Core, ioError, type Tamper, World } from "./core.js";

type Growth = "file" | "journal" | "name";

/** A volume on which what `full` names cannot grow; what is allocated can be written over, as on a real one. */
function filling(full: ReadonlySet<Growth>): Tamper {
  const check = (growth: Growth): void => {
    if (full.has(growth)) throw ioError("ENOSPC");
  };
  const growing = (handle: Handle, growth: Growth): Handle => {
    const { write, writeAll, reserve, fill } = handle;
    const checkUpTo = async (end: number): Promise<void> => {
      if (full.has(growth) && end > (await handle.stat()).sizeBytes) throw ioError("ENOSPC");
    };
    handle.write = async (bytes, position) => {
      await checkUpTo(position + bytes.length);
      await write.call(handle, bytes, position);
    };
    handle.writeAll = async (buffers, position) => {
      await checkUpTo(position + buffers.reduce((sum, { length }) => sum + length, 0));
      await writeAll.call(handle, buffers, position);
    };
    handle.fill = async (bytes, attributes, isReserved) => {
      await checkUpTo(bytes.length);
      return fill.call(handle, bytes, attributes, isReserved);
    };
    // Best effort: it says nothing when it cannot.
    handle.reserve = async (sizeBytes) => {
      if (!full.has(growth)) await reserve.call(handle, sizeBytes);
    };
    return handle;
  };
  return {
    create: async (real, name) => growing(await real.create(name), name.at.includes("/journal/") ? "journal" : "file"),
    createWith: async (real, name, content, sync) => {
      check("file");
      await real.createWith(name, content, sync);
    },
    copyDurably: async (real, source, target) => {
      check("file");
      await real.copyDurably(source, target);
    },
    rename: async (real, source, target) => {
      if (source.at.includes("/staging/") && !target.at.includes("/fenced/")) check("name");
      await real.rename(source, target);
    },
  };
}

/** What changes are refused with, once they are, until `count` have been. */
async function refusals(core: Core, sizeBytes: number, count: number): Promise<Set<string>> {
  const refused: string[] = [];
  for (let n = 0; n < 5000 && refused.length < count; n++)
    await core.write(`f${n % 3}`, Buffer.alloc(sizeBytes, n)).catch((error: unknown) => {
      const { reason, outcome } = toSafeOperationError(error);
      refused.push(`${reason} ${outcome}`);
    });
  return new Set(refused);
}

const EACH: readonly (readonly Growth[])[] = [["file"], ["journal"], ["name"], ["file", "journal", "name"]];

const INLINE_BYTES_MAX = 64 * 1024;

for (const sizeBytes of [500, 20_000, 200_000]) {
  test(`I11: a full volume refuses changes of ${sizeBytes} bytes as VOLUME_FULL, and serves again with room (was: OUTCOME_UNKNOWN)`, async (t) => {
    const world = await World.start(t);
    const full = new Set<Growth>();
    const core = await world.core({ tamper: filling(full) });
    for (let n = 0; n < 3; n++) await core.write(`f${n}`, Buffer.alloc(sizeBytes, n));
    for (const growths of EACH) {
      if (sizeBytes > INLINE_BYTES_MAX && growths[0] === "journal") continue; // its records are small: it takes hundreds
      for (const growth of growths) full.add(growth);
      assert.deepEqual(await refusals(core, sizeBytes, 8), new Set(["VOLUME_FULL NOT_COMMITTED"]), `${growths}`);
      const { content } = await core.revisions.find("f1" as FilePath, 0);
      const kept: Uint8Array[] = [];
      assert(content);
      for await (const chunk of core.store.read(content)) kept.push(chunk);
      assert.deepEqual(await readFile(path.join(world.root, "f1")), Buffer.concat(kept), "what is there can be read");
      full.clear();
      await core.write("f1", Buffer.alloc(sizeBytes, 1));
    }
    assert.deepEqual(core.left, []);
  });
}

test("I11: on a full volume a change that failed after its record is stopped for good (was: its abort found no room, and nobody knew)", async (t) => {
  const world = await World.start(t);
  const full = new Set<Growth>();
  const core = await world.core({ tamper: filling(full) });
  await core.write("f0", "one");
  full.add("journal").add("name");
  // More of them than what is zeroed ahead can take; each that gets its record in needs an abort.
  assert.deepEqual(await refusals(core, 8000, 60), new Set(["VOLUME_FULL NOT_COMMITTED"]));
  // The first that fits leaves less room than its abort needs.
  for (let sizeBytes = 8000; sizeBytes > 0; sizeBytes -= 40)
    assert.deepEqual(await refusals(core, sizeBytes, 1), new Set(["VOLUME_FULL NOT_COMMITTED"]), `${sizeBytes}`);
  let aborts = 0;
  for await (const { type } of core.journals.scan(core.incarnation.id)) if (type === "abort") aborts += 1;
  assert(aborts > 10, `${aborts} aborts`);
  assert.equal(await readFile(path.join(world.root, "f0"), "utf8"), "one");
  full.clear();
  assert.equal((await core.write("f0", "two")).record?.changes[0]?.revision, 2);
  assert.deepEqual(core.left, []);
});
