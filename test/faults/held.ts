import fs from "node:fs";
import { lstat, mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { readXattrs, setXattr } from "../../services/volume/native.js";
import { contentOf } from "../crash/content.js";
import type { Operation } from "./operations.js";
import type { Site } from "./site.js";

/** What a name holds: a file, as a caller and `ls` see it, a directory, or nothing. */
export type Held = "nothing" | "directory" | HeldFile;

export interface HeldFile {
  readonly bytes: Buffer;
  readonly mode: number;
  /** Whether it has the extended attribute that `prepare` gives to files. */
  readonly kept: boolean;
}

export const bytesOf = (held: Held): Buffer => (typeof held === "object" ? held.bytes : Buffer.alloc(0));

const XATTR = "user.kept";
const KEPT = Buffer.from("bit for bit");
/** What `prepare` puts there by hand, so that it is the first revision of every path. */
const OUTSIDE_BYTES = 300;
const [open, close] = [promisify(fs.open), promisify(fs.close)];

/** Brings a directory to what `operation` finds: files with a history, a mode and an extended attribute of their own. */
export async function prepare(site: Site, directory: string, operation: Operation): Promise<void> {
  await mkdir(path.join(site.volume, directory));
  for (const [name, held] of Object.entries(operation.before)) {
    const at = path.join(site.volume, directory, name);
    if (held === "nothing") continue;
    await mkdir(held === "directory" ? at : path.dirname(at), { recursive: true });
    if (held === "directory") continue;
    await writeFile(at, contentOf("outside", OUTSIDE_BYTES), { mode: 0o600 });
    const fd = await open(at, "r+");
    await setXattr(fd, XATTR, KEPT);
    await promisify(fs.fchmod)(fd, held.mode);
    await close(fd);
    const bytes = operation.prepare ? contentOf("base", OUTSIDE_BYTES) : held.bytes;
    await site.survivor.write(`${directory}/${name}`, bytes);
  }
  await operation.prepare?.(site, directory);
}

/** What each of `names` holds on the volume itself, past the service. */
export async function look(site: Site, directory: string, names: readonly string[]): Promise<Record<string, Held>> {
  const found: Record<string, Held> = {};
  for (const name of names) found[name] = await lookAt(path.join(site.volume, directory, name));
  return found;
}

async function lookAt(at: string): Promise<Held> {
  try {
    const stats = await lstat(at);
    if (stats.isDirectory()) return "directory";
    const xattrs = await readXattrs(at, XATTR, 4096);
    return {
      bytes: await readFile(at),
      mode: stats.mode & 0o7777,
      kept: xattrs.some(([, value]) => KEPT.equals(value)),
    };
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "")) return "nothing";
    throw error;
  }
}

export function isHeld(found: Readonly<Record<string, Held>>, wanted: Readonly<Record<string, Held>>): boolean {
  return Object.entries(wanted).every(([name, held]) => isSame(found[name], held));
}

const isSame = (found: Held | undefined, wanted: Held): boolean =>
  typeof found === "object" && typeof wanted === "object"
    ? found.bytes.equals(wanted.bytes) && found.mode === wanted.mode && found.kept === wanted.kept
    : found === wanted;

/** For the message of a failure. */
export const show = (held: Readonly<Record<string, Held>>): string =>
  Object.entries(held)
    .map(([name, each]) =>
      typeof each === "object"
        ? `${name}: ${each.bytes.length} bytes ${JSON.stringify(each.bytes.subarray(0, 20).toString())}, mode ${each.mode.toString(8)}, xattr ${each.kept}`
        : `${name}: ${each}`,
    )
    .join("; ");
