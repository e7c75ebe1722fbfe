import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { type ClientReadableStream, status as Code } from "@grpc/grpc-js";
import { cancelled, isServiceError } from "./channel.js";
import { crc32c } from "./crc32c.js";
import type { ContentChunk, ContentHeader, ContentTrailer, FileInfo, Revision } from "./gen/safefile/v1/common_pb.js";
import { IdleTimer } from "./idle-timer.js";
import { SafefileError } from "./safefile-error.js";

/** A message of ReadFile or ReadRevision. */
export interface ContentPart {
  readonly part:
    | { readonly case: "header"; readonly value: ContentHeader }
    | { readonly case: "chunk"; readonly value: ContentChunk }
    | { readonly case: "trailer"; readonly value: ContentTrailer }
    | { readonly case: undefined; readonly value?: undefined };
}

export interface DownloadOptions {
  readonly path: string;
  readonly idleMsMax: number;
  readonly signal: AbortSignal | undefined;
}

/**
 * Content as it arrives, all of one revision. It can be read once, and is whole only when the iteration has ended
 * without an error: then every byte came, in order, with the server's SHA-256 (of a part: with its CRC32Cs).
 */
export class Download implements AsyncIterable<Uint8Array> {
  readonly #header: ContentHeader;
  readonly #parts: Parts;
  readonly #path: string;
  #taken = false;
  #sha256: Uint8Array | undefined;

  private constructor(header: ContentHeader, parts: Parts, path: string) {
    this.#header = header;
    this.#parts = parts;
    this.#path = path;
  }

  /** Waits for the header, so that what cannot be read fails here. */
  static async open(call: ClientReadableStream<ContentPart>, options: DownloadOptions): Promise<Download> {
    const parts = new Parts(call, options);
    const first = await parts.next();
    if (first?.part.case === "header") return new Download(first.part.value, parts, options.path);
    parts.cancel();
    throw broken(options.path, "did not begin with a header");
  }

  /** The live file as it was when opened. Undefined when a stored revision is read. */
  get file(): FileInfo | undefined {
    return this.#header.file;
  }

  /** The stored revision. Undefined when the live file is read. */
  get revision(): Revision | undefined {
    return this.#header.revision;
  }

  /** Where in the content the first byte lies. */
  get offset(): number {
    return Number(this.#header.offset);
  }

  /** How many bytes will come. */
  get sizeBytes(): number {
    return Number(this.#header.sizeBytes);
  }

  /** SHA-256 of the whole content, computed here and equal to the server's. Undefined before the end, or of a part. */
  get sha256(): Uint8Array | undefined {
    return this.#sha256;
  }

  /** Ends it early. */
  cancel(): void {
    this.#parts.cancel();
  }

  /** The same as a Node stream. Reading slowly slows the server down. */
  readable(): Readable {
    return Readable.from(this, { objectMode: false });
  }

  /** All of it in memory. More than `bytesMax` throws, before any content is taken. */
  async bytes(bytesMax: number): Promise<Uint8Array> {
    if (this.sizeBytes > bytesMax) {
      this.cancel();
      throw new RangeError(`${this.#path} has ${this.sizeBytes} bytes, more than ${bytesMax}: use download()`);
    }
    const out = new Uint8Array(this.sizeBytes);
    let at = 0;
    for await (const data of this) {
      out.set(data, at);
      at += data.length;
    }
    return out;
  }

  async *[Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    if (this.#taken) throw new Error("a Download can be read once");
    this.#taken = true;
    const hash = createHash("sha256");
    let at = this.offset;
    try {
      for (;;) {
        const next = await this.#parts.next();
        if (next === undefined) throw broken(this.#path, "was cut short");
        if (next.part.case === "trailer") {
          this.#check(next.part.value, at - this.offset, hash.digest());
          // To the very end: a call that is cancelled instead resets its stream, and HTTP/2 servers end connections
          // that reset more than some thousand (CVE-2023-44487).
          if ((await this.#parts.next()) !== undefined) throw broken(this.#path, "went on after its end");
          return;
        }
        if (next.part.case !== "chunk") throw broken(this.#path, "held something unknown");
        const { data, offset, crc32c: sum } = next.part.value;
        if (Number(offset) !== at) throw broken(this.#path, `jumped from byte ${at} to ${offset}`);
        at += data.length;
        if (at - this.offset > this.sizeBytes) throw broken(this.#path, "held more bytes than it said");
        // The whole has a SHA-256. A part has not, so each piece is checked.
        if (this.#whole) hash.update(data);
        else if (sum !== undefined && crc32c(data) !== sum) throw broken(this.#path, "was damaged on the way");
        yield data;
      }
    } finally {
      this.cancel();
    }
  }

  get #whole(): boolean {
    const { file, revision } = this.#header;
    return this.offset === 0 && this.sizeBytes === Number((file ?? revision)?.sizeBytes ?? -1);
  }

  #check(trailer: ContentTrailer, sentBytes: number, sha256: Buffer): void {
    if (Number(trailer.sizeBytes) !== sentBytes || sentBytes !== this.sizeBytes) {
      throw broken(this.#path, `came with ${sentBytes} bytes of ${this.sizeBytes}`);
    }
    if (!this.#whole || trailer.sha256.length === 0) return;
    if (!sha256.equals(trailer.sha256)) throw broken(this.#path, "does not have the SHA-256 it came with");
    this.#sha256 = sha256;
  }
}

/** The messages of the call, one at a time: what is not asked for is not read from the connection. */
class Parts {
  readonly #iterator: AsyncIterator<ContentPart>;
  readonly #idle: IdleTimer;
  readonly #abort = () => this.cancel();
  #ended = false;

  constructor(
    private readonly call: ClientReadableStream<ContentPart>,
    private readonly options: DownloadOptions,
  ) {
    // An error after the last one asked for, such as that of the cancellation itself, is nobody's.
    call.on("error", () => undefined);
    this.#iterator = call[Symbol.asyncIterator]() as AsyncIterator<ContentPart>;
    this.#idle = new IdleTimer(options.idleMsMax, () => call.cancel());
    options.signal?.addEventListener("abort", this.#abort, { once: true });
    if (options.signal?.aborted) this.cancel();
  }

  async next(): Promise<ContentPart | undefined> {
    try {
      const { done, value } = await this.#idle.during(this.#iterator.next());
      if (!done) return value;
      this.#end();
      return undefined;
    } catch (error) {
      const { signal, idleMsMax, path } = this.options;
      this.cancel();
      if (signal?.aborted) throw cancelled(signal, undefined, undefined);
      if (this.#idle.expired) {
        throw new SafefileError(Code.DEADLINE_EXCEEDED, `Nothing of ${path} came for ${idleMsMax} ms.`);
      }
      throw isServiceError(error) ? SafefileError.fromCall(error) : error;
    }
  }

  cancel(): void {
    if (this.#end()) this.call.cancel();
  }

  /** True the first time. */
  #end(): boolean {
    if (this.#ended) return false;
    this.#ended = true;
    this.options.signal?.removeEventListener("abort", this.#abort);
    return true;
  }
}

function broken(path: string, what: string): SafefileError {
  return new SafefileError(Code.DATA_LOSS, `The content of ${path} ${what}. Read it again.`, {
    metadata: { path },
  });
}
