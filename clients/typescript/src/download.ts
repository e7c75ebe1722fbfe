import { Readable } from "node:stream";
import { type ClientReadableStream, status as Code } from "@grpc/grpc-js";
import { Arrival, arrived, type ContentPart } from "./arrival.js";
import { cancelled, isServiceError } from "./channel.js";
import type { FileInfo, Revision } from "./gen/safefile/v1/common_pb.js";
import { IdleTimer } from "./idle-timer.js";
import { SafefileError } from "./safefile-error.js";

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
  readonly #arrival: Arrival;
  readonly #parts: Parts;
  readonly #path: string;
  #taken = false;

  private constructor(arrival: Arrival, parts: Parts, path: string) {
    this.#arrival = arrival;
    this.#parts = parts;
    this.#path = path;
  }

  /** Waits for the header, so that what cannot be read fails here. */
  static async open(call: ClientReadableStream<ContentPart>, options: DownloadOptions): Promise<Download> {
    const parts = new Parts(call, options);
    const first = await parts.next();
    try {
      return new Download(new Arrival(first, options.path), parts, options.path);
    } catch (error) {
      parts.cancel();
      throw error;
    }
  }

  /** The live file as it was when opened. Undefined when a stored revision is read. */
  get file(): FileInfo | undefined {
    return this.#arrival.header.file;
  }

  /** The stored revision. Undefined when the live file is read. */
  get revision(): Revision | undefined {
    return this.#arrival.header.revision;
  }

  /** Where in the content the first byte lies. */
  get offset(): number {
    return Number(this.#arrival.header.offset);
  }

  /** How many bytes will come. */
  get sizeBytes(): number {
    return this.#arrival.sizeBytes;
  }

  /** SHA-256 of the whole content, computed here and equal to the server's. Undefined before the end, or of a part. */
  get sha256(): Uint8Array | undefined {
    return this.#arrival.sha256;
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
      throw tooLarge(this.#path, this.sizeBytes, bytesMax);
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
    try {
      // To the very end: a call that is cancelled instead resets its stream, and HTTP/2 servers end connections that reset
      // more than some thousand (CVE-2023-44487).
      for (let next = await this.#parts.next(); next; next = await this.#parts.next()) {
        const data = this.#arrival.take(next);
        if (data) yield data;
      }
      arrived(this.#arrival, this.#path);
    } finally {
      this.cancel();
    }
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
        throw silent(path, idleMsMax);
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

export const tooLarge = (path: string, sizeBytes: number, bytesMax: number): RangeError =>
  new RangeError(`${path} has ${sizeBytes} bytes, more than ${bytesMax}: use download()`);

/** Nothing came for too long. */
export function silent(path: string, idleMsMax: number): SafefileError {
  return new SafefileError(Code.DEADLINE_EXCEEDED, `Nothing of ${path} came for ${idleMsMax} ms.`);
}
