import assert from "node:assert/strict";
import type { FilePath } from "../../services/model/path.js";
import { codeOf, type Name, NotPlainError, type Stat, type Volume } from "../../services/volume/volume.js";

/** What somebody does to the tree without asking the volume. */
export interface Outside {
  write(path: string, content: string): Promise<void>;
  symlink(path: string, target: string): Promise<void>;
  special(path: string): Promise<void>;
  makeDirectory(path: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  remove(path: string): Promise<void>;
}

/** A volume of its own for each rule. */
export interface Ground {
  readonly volume: Volume;
  readonly outside: Outside;
  /** Whether this process may give files away. */
  readonly mayGive: boolean;
}

export type Rule = (ground: Ground) => Promise<void>;
export type Rules = Readonly<Record<string, Rule>>;

export const path = (text: string): FilePath => text as FilePath;
export const fails = (call: Promise<unknown>, code: string): Promise<void> =>
  assert.rejects(call, (error: unknown) => {
    assert.equal(codeOf(error), code, String(error));
    return true;
  });
export const notPlain = (call: Promise<unknown>, what: NotPlainError["what"]): Promise<void> =>
  assert.rejects(call, (error: unknown) => {
    assert(error instanceof NotPlainError, String(error));
    assert.equal(error.what, what);
    return true;
  });

export async function put(volume: Volume, name: Name, content: string): Promise<void> {
  await using handle = await volume.create(name);
  await handle.write(Buffer.from(content), 0);
}

export async function statOf(volume: Volume, name: Name): Promise<Stat> {
  const stats = await volume.stat(name);
  assert(stats, `${name.at} is not there`);
  return stats;
}

export async function liveText(volume: Volume, text: string): Promise<string | undefined> {
  await using live = await volume.locate(path(text));
  return await volume.readSmall(live);
}
