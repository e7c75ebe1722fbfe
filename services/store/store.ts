import { createHash } from "node:crypto";
import { type Content, sameBytes } from "../model/content.js";
import type { OperationId } from "../model/operation.js";
import { type Handle, type Name, unless, type Volume, went } from "../volume/volume.js";

const CHUNK_BYTES = 256 * 1024;

/** What is in the store does not read back as it was written, or is gone (I9). */
export class ContentCorruptError extends Error {
  constructor(readonly where: string) {
    super(`the stored content does not read back as it was written: ${where}`);
    this.name = "ContentCorruptError";
  }
}

/**
 * Contents of revisions. Small ones are in their journal record; larger ones are objects: files of their own under
 * `objects/`, never linked to a live file, so that writing into a live file in place cannot reach them.
 */
export class Store {
  constructor(private readonly volume: Volume) {}

  /** Whether a revision with this content can be restored, as far as a look at the name tells (I4). */
  async holds(content: Content): Promise<boolean> {
    if ("inline" in content.body) return true;
    const stats = await this.volume.stat(this.objectName(content.body.object));
    return stats?.type === "file" && stats.sizeBytes === content.sizeBytes;
  }

  /** Copies the file `source` into the store, durably, and returns the new object's name. */
  async put(operation: OperationId, suffix: string, source: Name): Promise<string> {
    const object = `${operation}.${suffix}`;
    const shard = this.volume.control(`objects/${shardOf(object)}`);
    if (await went(this.volume.makeDirectory(shard), ["EEXIST"]))
      await this.volume.syncDirectory(this.volume.control("objects"));
    await this.volume.copyDurably(source, this.objectName(object));
    return object;
  }

  /** Opens an object for reading. Throws ENOENT when it is gone. */
  open(object: string): Promise<Handle> {
    return this.volume.openRead(this.objectName(object));
  }

  /** Removes an object that no record names. */
  async remove(object: string): Promise<void> {
    await went(this.volume.unlink(this.objectName(object)), ["ENOENT"]);
  }

  /**
   * The bytes of `content` from `offset` on, `limit` at most. Read whole, they are compared with the digest: throws
   * ContentCorruptError after the last chunk, or before the first when the object is gone or too short.
   */
  async *read(content: Content, offset = 0, limit = Number.POSITIVE_INFINITY): AsyncGenerator<Uint8Array> {
    const end = Math.min(content.sizeBytes, offset + limit);
    const digest = createHash("sha256");
    if ("inline" in content.body) {
      const bytes = content.body.inline;
      if (!sameBytes(digest.update(bytes).digest(), content.sha256)) throw new ContentCorruptError("journal record");
      if (end > offset) yield bytes.subarray(offset, end);
      return;
    }
    const { object } = content.body;
    const handle = await unless(["ENOENT"], this.open(object));
    if (!handle) throw new ContentCorruptError(`object ${object} is missing`);
    await using open = handle;
    if ((await open.stat()).sizeBytes !== content.sizeBytes) throw new ContentCorruptError(`object ${object}`);
    for await (const chunk of readHandle(open, offset, end)) {
      digest.update(chunk);
      yield chunk;
    }
    const whole = offset === 0 && end === content.sizeBytes;
    if (whole && !sameBytes(digest.digest(), content.sha256)) throw new ContentCorruptError(`object ${object}`);
  }

  private objectName(object: string): Name {
    return this.volume.control(`objects/${shardOf(object)}/${object}`);
  }
}

// The last two digits of the sequence spread the objects of one incarnation evenly.
const shardOf = (object: string): string => (object.split(".")[1] ?? "").slice(-2).padStart(2, "0");

/** The bytes of an open file from `from` to `to`, in chunks that nobody else will overwrite; the next is read meanwhile. */
export async function* readHandle(handle: Handle, from: number, to: number): AsyncGenerator<Uint8Array> {
  const readAt = async (position: number): Promise<Uint8Array> => {
    const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, to - position));
    return chunk.subarray(0, await handle.read(chunk, position));
  };
  let ahead = from < to ? readAt(from) : undefined;
  try {
    for (let position = from; ahead; ) {
      const chunk = await ahead;
      ahead = undefined;
      if (chunk.length === 0) return;
      position += chunk.length;
      if (position < to) ahead = readAt(position);
      // Told when it is asked for; nobody may be listening before.
      ahead?.catch(() => undefined);
      yield chunk;
    }
  } finally {
    // Whoever leaves early closes the file, and its number must not be another's while it is read from.
    await ahead?.catch(() => undefined);
  }
}

/** SHA-256 of the first `sizeBytes` bytes of an open file. */
export async function digestOf(handle: Handle, sizeBytes: number): Promise<Buffer> {
  const digest = createHash("sha256");
  for await (const chunk of readHandle(handle, 0, sizeBytes)) digest.update(chunk);
  return digest.digest();
}
