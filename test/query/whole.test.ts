import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { writeFile } from "node:fs/promises";
import nodePath from "node:path";
import { type TestContext, test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { type Part, Reading } from "../../services/api/reading.js";
import { ReadFileResponseSchema } from "../../services/gen/safefile/v1/file_ops_service_pb.js";
import type { FilePath } from "../../services/model/path.js";
import type { Name } from "../../services/volume/volume.js";
import { type Core, type CoreOptions, World } from "../regress/core.js";

const PATH = "d/f" as FilePath;
const RANGE = { path: PATH, offset: 0, limit: 0 };

async function begin(t: TestContext, options: CoreOptions = {}): Promise<{ world: World; core: Core }> {
  const world = await World.start(t);
  return { world, core: await world.core(options) };
}

async function read(core: Core, range: { offset: number; limit: number } = RANGE): Promise<Part["part"][]> {
  const reading = new Reading("volume", core.files, core.revisions, core.store, 10);
  const parts: Part["part"][] = [];
  for await (const { part } of await reading.live({ ...RANGE, ...range })) parts.push(part);
  return parts;
}

const textOf = (parts: readonly Part["part"][]): string =>
  parts.map(({ case: name, value }) => (name === "chunk" ? Buffer.from(value.data).toString() : "")).join("");

test("a small file is read whole as it is opened", async (t) => {
  const { core } = await begin(t);
  assert.equal(await core.files.whole(PATH), undefined);
  for (const text of ["one", "two", "", "x".repeat(64 * 1024)]) {
    await core.write(PATH, text);
    const known = await core.files.whole(PATH);
    assert(known);
    assert.equal(Buffer.from(known.bytes).toString(), text);
    const { handle, info } = await core.files.open(PATH);
    await using _open = handle;
    assert.deepEqual(known.info, info);
    assert.deepEqual(await core.files.stat(PATH), info);
  }
  await core.write(PATH, "x".repeat(64 * 1024 + 1));
  assert.equal(await core.files.whole(PATH), undefined);
  assert.equal(textOf(await read(core)).length, 64 * 1024 + 1);
});

test("what is read whole has the same messages as what is opened", async (t) => {
  const { core } = await begin(t);
  for (const text of ["", "some text"]) {
    await core.write(PATH, text);
    for (const range of [RANGE, { offset: 2, limit: 3 }, { offset: 20, limit: 1 }]) {
      const whole = await read(core, range);
      const { files } = core;
      const opened = await read(
        { ...core, files: Object.assign(Object.create(files), { whole: async () => undefined }) },
        range,
      );
      assert.deepEqual(encoded(whole), encoded(opened));
    }
  }
});

const encoded = (parts: readonly Part["part"][]): Buffer[] =>
  parts.map((part) => Buffer.from(toBinary(ReadFileResponseSchema, create(ReadFileResponseSchema, { part }))));

test("what was changed from outside is not read whole, and is told as it is", async (t) => {
  const { world, core } = await begin(t);
  const live = nodePath.join(world.root, PATH);
  await core.write(PATH, "one");
  assert(await core.files.whole(PATH));
  await writeFile(live, "two");
  assert.equal(await core.files.whole(PATH), undefined);
  assert.equal((await core.files.stat(PATH)).externallyChanged, true);
  assert.equal(textOf(await read(core)), "two");
  await core.write(PATH, "three");
  execFileSync("chmod", ["600", live]);
  assert.equal(await core.files.whole(PATH), undefined);
  assert.equal((await core.files.stat(PATH)).externallyChanged, true);
});

/** Whose baton this replica left itself is looked for by its name; another one's is listed. */
const LOOKS = { left: "stat", another: "list" } as const;

for (const first of ["glance", "look"] as const)
  for (const whose of ["left", "another"] as const)
    test(`I2: a file replaced between two looks, the ${first} first, by ${LOOKS[whose]}, is one of the two revisions, whole`, async (t) => {
      let gate: PromiseWithResolvers<void> | undefined;
      let looks = 0;
      const gated = async <T>(what: "stat" | "list", name: Name, look: () => Promise<T>): Promise<T> => {
        if (!gate || what !== LOOKS[whose] || !name.at.includes("/batons/")) return await look();
        looks += 1;
        if (first === "glance") await gate.promise;
        const found = await look();
        gate?.resolve();
        return found;
      };
      const { world, core } = await begin(t, {
        tamper: {
          glance: async (real, path, bytesMax) => {
            if (!gate || bytesMax === 0) return await real.glance(path, bytesMax);
            const between = gate;
            if (first === "look") await between.promise;
            const found = first === "glance" ? await real.glance(path, bytesMax) : undefined;
            gate = undefined;
            await writer.write(PATH, "new");
            between.resolve();
            return found ?? (await real.glance(path, bytesMax));
          },
          stat: (real, name) => gated("stat", name, () => real.stat(name)),
          list: (real, name) => gated("list", name, () => real.list(name)),
        },
      });
      const writer = whose === "left" ? core : await world.core();
      await writer.write(PATH, "old");
      gate = Promise.withResolvers();
      const parts = await read(core);
      assert.equal(looks, 1, "it was not replaced in between, so nothing was tested");
      const info = await core.files.stat(PATH);
      assert.equal(textOf(parts), "new");
      assert(parts[0]?.case === "header");
      assert.equal(parts[0].value.file?.revision, BigInt(info.revision));
    });

test("bytes that are not the revision's are not sent at once", async (t) => {
  let glances = 0;
  const { core } = await begin(t, {
    tamper: {
      glance: async (real, path, bytesMax) => {
        const found = await real.glance(path, bytesMax);
        if (!found || bytesMax === 0) return found;
        glances += 1;
        const bytes = Buffer.from(found.bytes);
        bytes[0]! ^= 1;
        return { ...found, bytes };
      },
    },
  });
  await core.write(PATH, "text");
  assert.equal(textOf(await read(core)), "text");
  assert.equal(glances, 1);
});
