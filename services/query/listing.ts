import { LimitExceededError, PathNotFoundError, PathNotPlainError } from "../errors/index.js";
import type { FileInfo } from "../model/file-info.js";
import { type FilePath, problemOfPath } from "../model/path.js";
import { type EntryType, NotPlainError, unless, type Volume } from "../volume/volume.js";
import type { Files } from "./files.js";

const PEEK_PARALLEL = 8;

/** The entries of live directories, in pages: sorted name by name, so a directory comes right before its content. */
export class Listing {
  constructor(
    private readonly volume: Volume,
    private readonly files: Files,
    /** Entries of one directory; more is LIMIT_EXCEEDED. */
    private readonly entriesMax: number,
  ) {}

  /** Up to `count` entries after `after`, and whether there are more. Names that no request could name are left out. */
  async page(
    directory: FilePath | "",
    options: { recursive: boolean; after: string; count: number },
  ): Promise<{ files: FileInfo[]; more: boolean; last: string }> {
    const paths: FilePath[] = [];
    for await (const path of this.walk(directory, options.recursive, options.after)) {
      paths.push(path);
      if (paths.length > options.count) break;
    }
    const wanted = paths.slice(0, options.count);
    const files: FileInfo[] = [];
    for (let at = 0; at < wanted.length; at += PEEK_PARALLEL) {
      const peeked = await Promise.all(wanted.slice(at, at + PEEK_PARALLEL).map((path) => this.files.peek(path)));
      files.push(...peeked.filter((info) => info !== undefined));
    }
    // Names that vanished meanwhile are missing from the page; the next one goes on behind the last name seen.
    return { files, more: paths.length > options.count, last: wanted.at(-1) ?? "" };
  }

  /** All paths below `directory` after `after` ("" for all), in order. */
  async *walk(directory: FilePath | "", recursive: boolean, after: string): AsyncGenerator<FilePath> {
    const within = directory === "" ? after : after.slice(directory.length + 1);
    yield* this.below(directory, recursive, within === "" ? [] : within.split("/"), true);
  }

  private async *below(
    directory: FilePath | "",
    recursive: boolean,
    after: readonly string[],
    isTop: boolean,
  ): AsyncGenerator<FilePath> {
    const [from = "", ...rest] = after;
    for (const { name, type } of await this.entries(directory, isTop)) {
      if (compareNames(name, from) < 0) continue;
      const path = childOf(directory, name);
      if (!path) continue;
      if (name !== from) yield path;
      if (recursive && type === "directory") yield* this.below(path, true, name === from ? rest : [], false);
    }
  }

  private async entries(directory: FilePath | "", isTop: boolean): Promise<{ name: string; type: EntryType }[]> {
    try {
      const entries = await unless(isTop ? [] : ["ENOENT", "ENOTDIR"], this.volume.listLive(directory));
      if (entries && entries.length > this.entriesMax)
        throw new LimitExceededError({ field: "path", limit: `${this.entriesMax} entries in one directory` });
      return (entries ?? []).sort((left, right) => compareNames(left.name, right.name));
    } catch (error) {
      if (error instanceof NotPlainError && !isTop) return [];
      if (error instanceof NotPlainError) throw new PathNotPlainError({ path: directory, what: error.what });
      if (error instanceof Error && "code" in error) {
        if (error.code === "ENOENT") throw new PathNotFoundError({ path: directory });
        if (error.code === "ENOTDIR") throw new PathNotPlainError({ path: directory, what: "file" });
      }
      throw error;
    }
  }
}

/** Byte by byte, as in UTF-8: JavaScript's own order differs beyond 16 bits. */
const compareNames = (left: string, right: string): number => Buffer.compare(Buffer.from(left), Buffer.from(right));

/** undefined for what somebody outside gave a name that Safefile refuses. */
function childOf(directory: FilePath | "", name: string): FilePath | undefined {
  const path = directory === "" ? name : `${directory}/${name}`;
  return problemOfPath(path) === undefined ? (path as FilePath) : undefined;
}
