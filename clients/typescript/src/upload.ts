import { createHash } from "node:crypto";
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
  /** A CRC32C with each chunk. Default: only when `sha256` is not given. */
  readonly crc32c?: boolean;
  /** Told the bytes sent so far, after each chunk. Falls back to zero when the upload is repeated. */
  readonly onProgress?: (sentBytes: number) => void;
}

export interface UploadSettings {
  readonly channel: Channel;
  readonly chunkBytes: number;
  /** How long the server may take no byte. */
  readonly idleMsMax: number;
  /** How long the answer may take after the last byte. */
  readonly answerMsMax: number;
  readonly header: MessageInitShape<typeof UploadHeaderSchema> & { readonly options: { readonly requestId: string } };
}

/** Chunks handed to the connection and not yet taken by it. With the window of HTTP/2 this bounds the memory. */
const CHUNKS_IN_FLIGHT_MAX = 4;

/** Sends the source, repeating all of it while the service is UNAVAILABLE and the bytes can be had again. */
export async function upload(
  source: UploadSource,
  options: UploadOptions,
  settings: UploadSettings,
): Promise<MutationResult> {
  const retry = settings.channel.retry();
  for (;;) {
    const attempt = new Attempt(settings, options);
    try {
      return await attempt.run(source);
    } catch (failure) {
      if (!isReplayable(source) && attempt.began) throw failure;
      await retry.after(failure, options.signal);
    }
  }
}

class Attempt {
  /** Whether the source was touched. */
  began = false;
  readonly #call: ClientWritableStream<UploadFrame>;
  readonly #response: Promise<{ readonly result?: MutationResult | undefined }>;
  readonly #idle: IdleTimer;
  readonly #hash = createHash("sha256");
  #inFlight = 0;
  #wake: () => void = () => undefined;
  #answered = false;
  #ended = false;

  constructor(
    private readonly settings: UploadSettings,
    private readonly options: UploadOptions,
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

  async run(source: UploadSource): Promise<MutationResult> {
    const { signal } = this.options;
    const abort = () => this.#call.cancel();
    signal?.addEventListener("abort", abort, { once: true });
    try {
      if (signal?.aborted) abort();
      await this.#send(source);
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

  async #send(source: UploadSource): Promise<void> {
    const withCrc = this.options.crc32c ?? this.options.sha256 === undefined;
    await this.#write({ header: create(UploadHeaderSchema, this.settings.header) });
    this.began = true;
    let offset = 0;
    for await (const data of chunksOf(source, this.settings.chunkBytes)) {
      this.#hash.update(data);
      await this.#write({ data, offset, crc32c: withCrc ? crc32c(data) : undefined });
      if (this.#answered) return;
      offset += data.length;
      this.options.onProgress?.(offset);
    }
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

  /** Checked after the fact, for a source whose digest was not known before. */
  #compare({ revision }: MutationResult): void {
    if (revision === undefined || revision.sha256.length === 0) return;
    if (this.#hash.digest().equals(revision.sha256)) return;
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
    if (!isServiceError(failure)) return failure;
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
