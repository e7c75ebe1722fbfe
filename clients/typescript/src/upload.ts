import { createHash, randomUUID } from "node:crypto";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { type ClientWritableStream, status as Code } from "@grpc/grpc-js";
import type { ChangeOptions } from "./call-options.js";
import { type Channel, cancelled, failed, isServiceError } from "./channel.js";
import { chunksOf, isReplayable, type UploadSource } from "./chunks.js";
import { crc32c } from "./crc32c.js";
import type { MutationResult } from "./gen/safefile/v1/common_pb.js";
import { FileOpsService, UploadHeaderSchema } from "./gen/safefile/v1/file_ops_service_pb.js";
import { IdleTimer } from "./idle-timer.js";
import { type OutcomeName, SafefileError } from "./safefile-error.js";
import { encodeUploadFrame, type UploadFrame } from "./upload-frame.js";

export interface UploadOptions extends ChangeOptions {
  /** The permission bits. Those of the file, or 0644 for a new one, unless given. */
  readonly mode?: number;
  /** The size of the whole, when known: then a source that ends early is an error and not a shorter file. */
  readonly sizeBytes?: number;
  /** SHA-256 of the whole, when known: then the server refuses anything else. */
  readonly sha256?: Uint8Array;
  /** A CRC32C with each chunk, so that a damaged one is not kept. Default true. */
  readonly crc32c?: boolean;
  /**
   * The name under which the service keeps the bytes when the stream breaks. A random one unless given, and none for a
   * source that cannot be read again. Give one to go on with an upload of an earlier process: the service is then
   * asked first how much it holds. It stands for one content; several uploads at once under one name end each other.
   */
  readonly uploadId?: string;
  /** Told where the upload stands, after each chunk. Falls back to what the service holds when a stream broke. */
  readonly onProgress?: (sentBytes: number) => void;
  /** Told when the service says from where to go on: it holds other bytes than were handed to the connection. */
  readonly onResumed?: (offset: number) => void;
}

export interface UploadSettings {
  readonly channel: Channel;
  readonly chunkBytes: number;
  /** How long the server may take no byte. */
  readonly idleMsMax: number;
  /** How long the answer may take after the last byte. */
  readonly answerMsMax: number;
  /** Of the whole, when known. */
  readonly sizeBytes: number | undefined;
  readonly header: MessageInitShape<typeof UploadHeaderSchema> & { readonly options: { readonly requestId: string } };
}

/** Chunks handed to the connection and not yet taken by it. With the window of HTTP/2 this bounds the memory. */
const CHUNKS_IN_FLIGHT_MAX = 4;

/** How often the service may name another offset without holding more than before. */
const OFFSETS_WITHOUT_PROGRESS_MAX = 3;

/**
 * Sends the source. While the service is UNAVAILABLE, or the connection breaks, it goes on from the bytes that the
 * service holds, if the source can be read again.
 */
export async function upload(
  source: UploadSource,
  options: UploadOptions,
  settings: UploadSettings,
): Promise<MutationResult> {
  const replayable = isReplayable(source);
  const uploadId = options.uploadId ?? (replayable ? randomUUID() : "");
  const content = new SentContent(settings.header.sha256 !== undefined && settings.header.sha256.length > 0);
  const retry = settings.channel.retry();
  // Somebody else's beginning can only be asked for: a first chunk beyond it is answered with how much there is.
  let offset = options.uploadId !== undefined && replayable ? (settings.sizeBytes ?? Number.MAX_SAFE_INTEGER) : 0;
  // The most it ever held: a service that forgets and learns the same bytes again makes no progress.
  let heldBytes = 0;
  let fruitless = 0;
  for (;;) {
    const attempt = new Attempt({ ...settings, header: { ...settings.header, uploadId } }, options, content);
    try {
      return await attempt.run(source, offset);
    } catch (failure) {
      if (!replayable && attempt.began) throw failure;
      // The source failed when it was read again: that says nothing of the attempt before.
      if (!(failure instanceof SafefileError) && retry.unsettled !== undefined)
        throw retry.unsettled.with({ cause: failure });
      const named = offsetIn(failure);
      if (uploadId !== "" && replayable && named !== undefined && fruitless < OFFSETS_WITHOUT_PROGRESS_MAX) {
        fruitless = named > heldBytes ? 0 : fruitless + 1;
        // The last failure was followed by progress, so the next one is a first one again.
        if (named > heldBytes) retry.reset();
        heldBytes = Math.max(heldBytes, named);
        offset = named;
        if (named > 0) options.onResumed?.(named);
        continue;
      }
      await retry.after(failure, options.signal);
      // A guess: the service names the offset if it holds less than what was handed to the connection. An attempt that
      // never got through says nothing new.
      offset = uploadId === "" ? 0 : Math.max(offset, attempt.sentBytes);
    }
  }
}

/** How much the service holds, when that is what it has to say. */
function offsetIn(failure: unknown): number | undefined {
  if (!(failure instanceof SafefileError) || failure.code !== Code.INVALID_ARGUMENT) return undefined;
  const text = failure.metadata.upload_offset;
  return text !== undefined && /^\d{1,16}$/.test(text) ? Number(text) : undefined;
}

/** The digest of what is sent, over all attempts: bytes that are read again are not counted again. */
class SentContent {
  hashedBytes = 0;
  /** Whether it may be there without having been read. */
  unread = false;
  readonly #hash = createHash("sha256");

  /** Whether the server compares the digest itself. */
  constructor(private readonly isDeclared: boolean) {}

  add(data: Uint8Array, offset: number): void {
    if (this.isDeclared) return;
    const fresh = data.subarray(Math.min(data.length, this.hashedBytes - offset));
    this.#hash.update(fresh);
    this.hashedBytes += fresh.length;
  }

  /** Checked after the fact, for a source whose digest was not known before. */
  is(sha256: Uint8Array): boolean {
    return this.isDeclared || this.unread || this.#hash.copy().digest().equals(sha256);
  }
}

class Attempt {
  /** Whether the source was touched. */
  began = false;
  /** Up to where the source was handed to the connection, or was held by the service. */
  sentBytes = 0;
  readonly #call: ClientWritableStream<UploadFrame>;
  readonly #response: Promise<{ readonly result?: MutationResult | undefined }>;
  readonly #idle: IdleTimer;
  #inFlight = 0;
  #wake: () => void = () => undefined;
  #answered = false;
  #ended = false;

  constructor(
    private readonly settings: UploadSettings,
    private readonly options: UploadOptions,
    private readonly content: SentContent,
  ) {
    const { call, response } = settings.channel.clientStream(FileOpsService.method.uploadFile, encodeUploadFrame);
    this.#call = call;
    this.#response = response;
    this.#idle = new IdleTimer(settings.idleMsMax, () => call.cancel());
    // The error comes with the answer; without a listener it would be thrown as well.
    call.on("error", () => undefined);
    const wake = () => {
      this.#answered = true;
      this.#wake();
    };
    response.then(wake, wake);
  }

  /** Sends the source from `start` on. */
  async run(source: UploadSource, start: number): Promise<MutationResult> {
    const { signal } = this.options;
    const abort = () => this.#call.cancel();
    signal?.addEventListener("abort", abort, { once: true });
    try {
      if (signal?.aborted) abort();
      await this.#send(source, start);
      // An early answer is the answer; nothing asked for a commit.
      this.#ended = !this.#answered;
      this.#call.end();
      const { result } = await this.#idle.during(this.#response, this.settings.answerMsMax);
      if (result === undefined) throw this.#error(Code.INTERNAL, "The server's answer holds no result.", "UNKNOWN");
      if (this.#ended) this.#compare(result);
      return result;
    } catch (failure) {
      throw this.#typed(failure);
    } finally {
      signal?.removeEventListener("abort", abort);
      // Nothing that has been answered is cancelled by this.
      this.#call.cancel();
    }
  }

  async #send(source: UploadSource, start: number): Promise<void> {
    const withCrc = this.options.crc32c ?? true;
    await this.#write({ header: create(UploadHeaderSchema, this.settings.header) });
    this.began = true;
    let end = start;
    if (start > 0 && start === (this.settings.sizeBytes ?? Number.MAX_SAFE_INTEGER)) {
      // All of it may be there: then it need not be read.
      this.content.unread ||= this.content.hashedBytes < start;
    } else end = await this.#chunks(source, start, withCrc);
    // Without any chunk the server could take this for an empty file: so it is told from where we meant to go on.
    if (start > 0 && end === start && !this.#answered)
      await this.#write({ data: new Uint8Array(), offset: start, crc32c: undefined });
  }

  /** Returns where the last chunk ended; `start` when none was sent. */
  async #chunks(source: UploadSource, start: number, withCrc: boolean): Promise<number> {
    let end = start;
    let offset = 0;
    // Also one that turns out to be empty.
    this.content.unread = false;
    for await (const data of chunksOf(source, this.settings.chunkBytes)) {
      this.content.add(data, offset);
      const rest = data.subarray(Math.min(data.length, Math.max(0, start - offset)));
      if (rest.length > 0) {
        const at = offset + data.length - rest.length;
        await this.#write({ data: rest, offset: at, crc32c: withCrc ? crc32c(rest) : undefined });
        end = offset + data.length;
        if (this.#answered) return end;
        this.options.onProgress?.(end);
      }
      offset += data.length;
      this.sentBytes = Math.max(this.sentBytes, offset);
    }
    return end;
  }

  /** Returns when there is room for the next one, or the server has answered. */
  async #write(frame: UploadFrame): Promise<void> {
    this.#inFlight++;
    this.#call.write(frame, () => {
      this.#inFlight--;
      this.#wake();
    });
    while (this.#inFlight >= CHUNKS_IN_FLIGHT_MAX && !this.#answered) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await this.#idle.during(promise);
    }
  }

  #compare({ revision }: MutationResult): void {
    if (revision === undefined || revision.sha256.length === 0 || this.content.is(revision.sha256)) return;
    throw this.#error(
      Code.DATA_LOSS,
      `Revision ${revision.revision} of ${revision.path} does not hold the bytes that were sent. Upload it again.`,
      "COMMITTED",
    );
  }

  #typed(failure: unknown): unknown {
    const requestId = this.settings.header.options.requestId;
    // Ending the requests asks for the commit; until then a broken stream changes nothing.
    const unanswered = this.#ended ? "UNKNOWN" : "NOT_COMMITTED";
    if (failure instanceof SafefileError || !isServiceError(failure)) return failure;
    const { signal } = this.options;
    if (signal?.aborted && failure.code === Code.CANCELLED) return cancelled(signal, requestId, unanswered);
    if (this.#idle.expired && failure.code === Code.CANCELLED) {
      return this.#error(Code.DEADLINE_EXCEEDED, "The server took too long for the upload.", unanswered);
    }
    return failed(failure, requestId, unanswered);
  }

  #error(code: Code, message: string, outcome: OutcomeName): SafefileError {
    return new SafefileError(code, message, {
      outcome,
      metadata: { request_id: this.settings.header.options.requestId },
    });
  }
}
