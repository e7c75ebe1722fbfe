import { PathNotFoundError, PathNotPlainError } from "../errors/index.js";
import type { Copied, Precondition, Source } from "../model/operation-request.js";
import type { FilePath } from "../model/path.js";
import type { Files } from "../query/files.js";
import type { Revisions } from "../query/revisions.js";
import { readHandle } from "../store/store.js";
import { checkCondition } from "../validate/preconditions.js";
import { refuse } from "./wire.js";

/** Finds what is to be copied, once the target is locked: the source itself is only read, at one instant. */
export class Copies {
  constructor(
    private readonly files: Files,
    private readonly revisions: Revisions,
  ) {}

  /** The content of `path`, or of one of its revisions; the precondition is about the live file. */
  of(path: FilePath, revision: number, precondition: Precondition): Source & { readonly from: "copy" } {
    const stored = () => this.stored(path, revision, precondition);
    const check = async () => void (await stored());
    return { from: "copy", path, revision, check, open: async () => (await stored()) ?? this.read(path, precondition) };
  }

  /** What the store has of it; undefined for a live file that somebody outside wrote. */
  private async stored(path: FilePath, revision: number, precondition: Precondition): Promise<Copied | undefined> {
    const isConditional = precondition.etag !== undefined || precondition.ifRevision !== undefined;
    if (revision > 0 && !isConditional) return this.revision(path, revision);
    const live = await this.files.peek(path);
    checkCondition({ path, precondition }, live);
    if (revision > 0) return this.revision(path, revision);
    // Says whether it is nothing, or something that is never followed.
    if (!live) await this.files.stat(path);
    if (!live) throw new PathNotFoundError({ path });
    if (live.type !== "file") throw new PathNotPlainError({ path, what: live.type });
    return live.revision > 0 ? this.revision(path, live.revision) : undefined;
  }

  private async revision(path: FilePath, revision: number): Promise<Copied> {
    const { content } = await this.revisions.find(path, revision);
    if (!content) refuse("revision", `${revision} has no content`);
    return { content, attributes: content, read: () => empty() };
  }

  /** A file that somebody outside wrote is read as it is, from one descriptor. */
  private async read(path: FilePath, precondition: Precondition): Promise<Copied> {
    const { handle, info } = await this.files.open(path);
    try {
      checkCondition({ path, precondition }, info);
      const stats = await handle.stat();
      const read = async function* () {
        await using open = handle;
        yield* readHandle(open, 0, Number.MAX_SAFE_INTEGER);
      };
      return { content: undefined, attributes: { ...stats, xattrs: info.xattrs ?? {} }, read };
    } catch (error) {
      await handle[Symbol.asyncDispose]();
      throw error;
    }
  }
}

async function* empty(): AsyncGenerator<Uint8Array> {}
