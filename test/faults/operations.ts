import { writeFile } from "node:fs/promises";
import path from "node:path";
import type { SafefileClient } from "@safefile/client";
import { contentOf } from "../crash/content.js";
import { bytesOf, type Held } from "./held.js";
import type { Site } from "./site.js";

/** A change to which every fault is done, at every call that it makes. */
export interface Operation {
  readonly name: string;
  /** What is there before and after, by names below a directory of its own. What it does not name stays as it is. */
  readonly before: Readonly<Record<string, Held>>;
  readonly after: Readonly<Record<string, Held>>;
  /** Makes `before` out of a revision of other content; without it, `before` is a revision. */
  readonly prepare?: (site: Site, directory: string) => Promise<void>;
  readonly act: (client: SafefileClient, directory: string, requestId: string) => Promise<unknown>;
}

const SMALL = 300;
/** Over inlineBytesMax: an object of its own. */
const LARGE = 200_000;
/** Nearly all that one record takes inline. */
const INLINE = 65_000;

const file = (name: string, sizeBytes: number): Held => ({
  bytes: contentOf(name, sizeBytes),
  mode: 0o640,
  kept: true,
});
/** Made by the service where nothing was. */
const made = (name: string, sizeBytes: number): Held => ({
  bytes: contentOf(name, sizeBytes),
  mode: 0o644,
  kept: false,
});

const old = { f: file("old", SMALL) };
const fresh = { f: file("fresh", SMALL) };
const large = { f: file("large", LARGE) };
const none = { f: "nothing" } as const;

const write =
  (to: Held, name = "f", options: { ifRevision?: number } = {}): Operation["act"] =>
  (client, directory, requestId) =>
    client.write(`${directory}/${name}`, bytesOf(to), { requestId, ...options });
const remove: Operation["act"] = (client, directory, requestId) => client.remove(`${directory}/f`, { requestId });
const outside =
  (held: Held): NonNullable<Operation["prepare"]> =>
  (site, directory) =>
    writeFile(path.join(site.volume, directory, "f"), bytesOf(held));

const changed = (held: Held, change: Partial<Exclude<Held, string>>): Held => ({
  ...(held as Exclude<Held, string>),
  ...change,
});
const more = contentOf("more", SMALL);

/** A line each. */
const OPERATIONS: readonly Operation[] = [
  { name: "overwrite", before: old, after: fresh, act: write(fresh.f) },
  { name: "create", before: none, after: { f: made("new", SMALL) }, act: write(made("new", SMALL)) },
  {
    name: "create only",
    before: none,
    after: { f: made("new", SMALL) },
    act: write(made("new", SMALL), "f", { ifRevision: 0 }),
  },
  { name: "overwrite by a large content", before: old, after: large, act: write(large.f) },
  { name: "overwrite a large content", before: large, after: fresh, act: write(fresh.f) },
  {
    name: "upload",
    before: old,
    after: large,
    act: (client, directory, requestId) => client.upload(`${directory}/f`, bytesOf(large.f), { requestId }),
  },
  { name: "delete", before: old, after: none, act: remove },
  {
    name: "rollback",
    before: fresh,
    after: { f: file("outside", SMALL) },
    act: (client, directory, requestId) => client.rollback(`${directory}/f`, 1, { requestId }),
  },
  {
    name: "overwrite a change from outside",
    before: { f: file("changed", SMALL) },
    after: fresh,
    prepare: outside(file("changed", SMALL)),
    act: write(fresh.f),
  },
  {
    name: "overwrite a large change from outside",
    before: { f: file("changed", LARGE) },
    after: fresh,
    prepare: outside(file("changed", LARGE)),
    act: write(fresh.f),
  },
  {
    name: "delete a change from outside",
    before: { f: file("changed", SMALL) },
    after: none,
    prepare: outside(file("changed", SMALL)),
    act: remove,
  },
  {
    name: "write into new directories",
    before: { "a/b/f": "nothing" },
    after: { "a/b/f": made("new", SMALL) },
    act: write(made("new", SMALL), "a/b/f"),
  },
  {
    name: "write what makes the journal grow",
    before: old,
    after: { f: file("inline", INLINE) },
    act: write(file("inline", INLINE)),
  },
  {
    name: "append",
    before: old,
    after: { f: changed(old.f, { bytes: Buffer.concat([bytesOf(old.f), more]) }) },
    act: (client, directory, requestId) => client.append(`${directory}/f`, more, { requestId }),
  },
  {
    name: "patch a large content",
    before: large,
    after: { f: changed(large.f, { bytes: Buffer.concat([more, bytesOf(large.f).subarray(10)]) }) },
    act: (client, directory, requestId) =>
      client.patch(`${directory}/f`, [{ offset: 0, length: 10, data: more }], { requestId }),
  },
  {
    name: "set attributes",
    before: old,
    after: { f: changed(old.f, { mode: 0o600 }) },
    act: (client, directory, requestId) => client.setAttributes(`${directory}/f`, { mode: 0o600, requestId }),
  },
  {
    name: "move",
    before: { f: old.f, g: "nothing" },
    after: { f: "nothing", g: old.f },
    act: (client, directory, requestId) => client.move(`${directory}/f`, `${directory}/g`, { requestId }),
  },
  {
    name: "copy",
    before: { f: old.f, g: "nothing" },
    after: { f: old.f, g: old.f },
    act: (client, directory, requestId) => client.copy(`${directory}/f`, `${directory}/g`, { requestId }),
  },
  {
    name: "a transaction",
    before: { f: old.f, g: "nothing", h: fresh.f },
    after: { f: fresh.f, g: made("new", LARGE), h: "nothing" },
    act: (client, directory, requestId) =>
      client.transaction(
        (tx) =>
          tx
            .write(`${directory}/f`, bytesOf(fresh.f))
            .write(`${directory}/g`, contentOf("new", LARGE))
            .remove(`${directory}/h`),
        { requestId },
      ),
  },
  {
    name: "make a directory",
    before: { d: "nothing" },
    after: { d: "directory" },
    act: (client, directory, requestId) => client.makeDirectory(`${directory}/d`, { requestId }),
  },
  {
    name: "move a directory",
    before: { "d/f": old.f, "d/g": fresh.f, "e/f": "nothing", "e/g": "nothing" },
    after: { "d/f": "nothing", "d/g": "nothing", "e/f": old.f, "e/g": fresh.f },
    act: (client, directory, requestId) => client.move(`${directory}/d`, `${directory}/e`, { requestId }),
  },
  {
    name: "delete a directory",
    before: { "d/f": old.f, "d/e/g": fresh.f },
    after: { "d/f": "nothing", "d/e/g": "nothing" },
    act: (client, directory, requestId) => client.remove(`${directory}/d`, { recursive: true, requestId }),
  },
];

/** All of them, or those that SAFEFILE_TEST_OPERATIONS names, with commas between. */
export function chosen(): readonly Operation[] {
  const names = process.env.SAFEFILE_TEST_OPERATIONS?.split(",");
  const found = OPERATIONS.filter(({ name }) => names?.includes(name) ?? true);
  if (found.length === 0) throw new Error(`there is no operation called ${names}`);
  return found;
}
