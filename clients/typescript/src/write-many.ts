import { createHash } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import { status as Code } from "@grpc/grpc-js";
import { type CallOptions, type ChangeOptions, mutationOptions } from "./call-options.js";
import { checkSize } from "./change.js";
import { type Channel, cancelled } from "./channel.js";
import type { MutationResult } from "./gen/safefile/v1/common_pb.js";
import { WriteFilesRequestSchema, type WriteFilesResponse } from "./gen/safefile/v1/file_ops_service_pb.js";
import type { Retry } from "./retry.js";
import { SafefileError } from "./safefile-error.js";
import { type Break, type PendingWrite, WriteStream } from "./write-stream.js";

/** One write of many. */
export interface FileWrite extends Omit<ChangeOptions, keyof CallOptions> {
  readonly path: string;
  /** The whole new content, at most 1 MiB. Not to be changed until it is answered: it may be sent again. */
  readonly data: Uint8Array;
  /** The permission bits, 0 to 0o777. Those of the file, or 0644 for a new one, unless given. */
  readonly mode?: number;
}

export interface WriteManyOptions extends CallOptions {
  /** The most writes taken from the source whose answers were not taken yet, 1 to 1,024. Default 64. */
  readonly inFlight?: number;
}

/** How one write ended: with `result`, or with `error`, whose `outcome` says what became of the file. */
export type WriteAnswer = { readonly requestId: string; readonly path: string } & (
  | { readonly result: MutationResult; readonly error?: undefined }
  | { readonly result?: undefined; readonly error: SafefileError }
);

export type WriteSource = AsyncIterable<FileWrite> | Iterable<FileWrite>;

export interface WriteManySettings {
  readonly channel: Channel;
  readonly volume: string;
  /** How long the answer to one write may take, with its wait for a lock. */
  readonly answerMsMax: (write: FileWrite) => number;
}

/** As many as the server reads of one stream before it has answered some. */
const IN_FLIGHT = 64;
const IN_FLIGHT_MAX = 1024;
/** They are kept until they are answered: beyond this no more are taken from the source. */
const HELD_BYTES_MAX = 16 * 1024 * 1024;

/** The life of one `client.writeMany`. */
export class WriteMany {
  readonly #inFlightMax: number;
  readonly #source: AsyncIterator<FileWrite> | Iterator<FileWrite>;
  readonly #retry: Retry;
  readonly #left = new AbortController();
  readonly #signal: AbortSignal;
  /** Taken and not answered, in the order in which they were taken. */
  readonly #pending = new Map<string, PendingWrite>();
  #pendingBytes = 0;
  /** Those of them that are to be sent. */
  #waiting: PendingWrite[] = [];
  readonly #answers: WriteAnswer[] = [];
  readonly #streams = new Set<WriteStream>();
  /** The one that takes more writes. */
  #open: WriteStream | undefined;
  #pausing = false;
  #reading = false;
  /** The source has no more. */
  #drained = false;
  #sourceFailure: { readonly error: unknown } | undefined;
  #failure: SafefileError | undefined;
  #wake: () => void = () => undefined;

  constructor(
    source: WriteSource,
    private readonly options: WriteManyOptions,
    private readonly settings: WriteManySettings,
  ) {
    this.#inFlightMax = options.inFlight ?? IN_FLIGHT;
    if (!(this.#inFlightMax >= 1 && this.#inFlightMax <= IN_FLIGHT_MAX)) {
      throw new RangeError(`inFlight must be from 1 to ${IN_FLIGHT_MAX}`);
    }
    this.#source = Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
    this.#retry = settings.channel.retry();
    this.#signal =
      options.signal === undefined ? this.#left.signal : AbortSignal.any([this.#left.signal, options.signal]);
  }

  async *answers(): AsyncGenerator<WriteAnswer, void, void> {
    const { signal } = this.options;
    const abort = () => this.#fail(cancelled(signal!, undefined, undefined));
    signal?.addEventListener("abort", abort, { once: true });
    try {
      if (signal?.aborted) abort();
      for (;;) {
        this.#advance();
        const answer = this.#answers.shift();
        if (answer !== undefined) {
          yield answer;
          continue;
        }
        if (this.#failure !== undefined) throw this.#failure;
        if (this.#drained && this.#pending.size === 0) break;
        const { promise, resolve } = Promise.withResolvers<void>();
        this.#wake = resolve;
        await promise;
      }
      // Whatever was taken before the source failed has its answer by now.
      if (this.#sourceFailure !== undefined) throw this.#sourceFailure.error;
    } finally {
      signal?.removeEventListener("abort", abort);
      await this.#leave();
    }
  }

  /** Does whatever can be done now: sends what waits, takes more when there is room. */
  #advance(): void {
    if (this.#failure !== undefined || this.#left.signal.aborted) return;
    if (this.#waiting.length > 0 && !this.#pausing) {
      this.#open ??= this.#openStream();
      for (const write of this.#waiting.splice(0)) this.#open.send(write);
    }
    // Answers that nobody takes count, too: a slow reader slows the source down.
    const hasRoom = this.#pending.size + this.#answers.length < this.#inFlightMax;
    if (hasRoom && this.#pendingBytes < HELD_BYTES_MAX && !this.#drained && !this.#reading) void this.#read();
  }

  async #read(): Promise<void> {
    this.#reading = true;
    try {
      const next = await this.#source.next();
      if (next.done === true) this.#drained = true;
      else this.#take(next.value);
    } catch (error) {
      this.#drained = true;
      this.#sourceFailure = { error };
    }
    this.#reading = false;
    this.#changed();
  }

  #take(write: FileWrite): void {
    const { path, data, mode } = write;
    if (typeof path !== "string") throw new TypeError("the path of a write must be a string");
    if (!(data instanceof Uint8Array)) throw new TypeError(`the data of ${path} must be a Uint8Array`);
    const options = mutationOptions(write);
    const { requestId } = options;
    // The service would end the stream for either, and with it all the others.
    if (requestId === "") throw new RangeError(`the request id of ${path} is empty`);
    if (this.#pending.has(requestId)) throw new RangeError(`the request id ${requestId} is in flight already`);
    try {
      checkSize(data.length, "data", options);
      if (this.#failure !== undefined) {
        throw this.#failure.with({ outcome: "NOT_COMMITTED", metadata: { request_id: requestId } });
      }
    } catch (error) {
      this.#answers.push({ requestId, path, error: error as SafefileError });
      return;
    }
    const sha256 = createHash("sha256").update(data).digest();
    const request = create(WriteFilesRequestSchema, {
      write: { volume: this.settings.volume, path, options, data, sha256, ...(mode === undefined ? {} : { mode }) },
    });
    const retry = this.settings.channel.retry();
    const answerMsMax = this.settings.answerMsMax(write);
    const pending = { requestId, path, request, sizeBytes: data.length, answerMsMax, retry };
    this.#waiting.push({ ...pending, stream: undefined, lost: false });
    this.#pending.set(requestId, this.#waiting.at(-1)!);
    this.#pendingBytes += data.length;
  }

  #openStream(): WriteStream {
    const stream: WriteStream = new WriteStream(this.settings.channel, {
      answered: (write, answer) => {
        this.#retry.reset();
        this.#answered(stream, write, answer);
      },
      broken: (broken, found) => void this.#broken(broken, found),
    });
    this.#streams.add(stream);
    return stream;
  }

  #answered(stream: WriteStream, write: PendingWrite, { case: kind, value }: WriteFilesResponse["answer"]): void {
    if (kind === "result") this.#settle(write, { result: value });
    else if (kind === "error") {
      const said = SafefileError.fromStatus(value);
      const error = said.with({ outcome: said.outcome ?? "UNKNOWN", metadata: { request_id: write.requestId } });
      if (error.code === Code.UNAVAILABLE) void this.#repeat(stream, write, error);
      else this.#settle(write, { error: write.retry.note(error) });
    } else {
      const error = new SafefileError(Code.INTERNAL, "The server's answer holds no result.");
      this.#settle(write, { error: error.with({ outcome: "UNKNOWN", metadata: { request_id: write.requestId } }) });
    }
    this.#changed();
  }

  /** The service takes this write later, and maybe elsewhere: a replica that leaves waits for its streams to end. */
  async #repeat(stream: WriteStream, write: PendingWrite, error: SafefileError): Promise<void> {
    stream.end();
    if (this.#open === stream) this.#open = undefined;
    try {
      await write.retry.after(error, this.#signal);
      if (this.#pending.get(write.requestId) === write) this.#waiting.push(write);
    } catch (failure) {
      this.#settle(write, { error: failure as SafefileError });
    }
    this.#changed();
  }

  /** What it left without an answer is sent again, in the same order and with the same request ids. */
  async #broken(stream: WriteStream, { error, left }: Break): Promise<void> {
    this.#streams.delete(stream);
    if (this.#open === stream) this.#open = undefined;
    if (left.length === 0) return;
    for (const write of left) if (write.lost) write.retry.note(error.with({ outcome: "UNKNOWN" }));
    this.#waiting.unshift(...left);
    this.#pausing = true;
    try {
      await this.#retry.after(error, this.#signal);
      this.#pausing = false;
      this.#changed();
    } catch (failure) {
      if (!this.#left.signal.aborted) this.#fail(failure as SafefileError);
    }
  }

  #settle(write: PendingWrite, how: { result: MutationResult } | { error: SafefileError }): void {
    const { requestId, path, sizeBytes } = write;
    if (!this.#pending.delete(requestId)) return;
    this.#pendingBytes -= sizeBytes;
    this.#answers.push({ requestId, path, ...how });
  }

  /** Nothing more can be done: the unanswered writes are answered with the reason, which is then thrown. */
  #fail(error: SafefileError): void {
    if (this.#failure !== undefined) return;
    const isOpen = (write: PendingWrite) => write.lost || write.stream !== undefined;
    const isUnknown = [...this.#pending.values()].some(isOpen);
    this.#failure = error.with({ outcome: isUnknown ? "UNKNOWN" : "NOT_COMMITTED" });
    for (const write of [...this.#pending.values()]) {
      const outcome = isOpen(write) ? "UNKNOWN" : "NOT_COMMITTED";
      this.#settle(write, { error: error.with({ outcome, metadata: { request_id: write.requestId } }) });
    }
    this.#changed();
  }

  #changed(): void {
    this.#advance();
    this.#wake();
  }

  async #leave(): Promise<void> {
    this.#left.abort();
    // What is answered is not cancelled by this; the last answer may come before the end of its stream.
    for (const stream of this.#streams) {
      if (this.#pending.size === 0 && this.#failure === undefined) stream.end();
      else stream.cancel();
    }
    const ended = this.#drained && this.#sourceFailure === undefined;
    if (ended || this.#source.return === undefined) return;
    // A source that is asked for its next write at this moment ends after that; nobody waits for it.
    const closed = Promise.resolve(this.#source.return()).catch(() => undefined);
    if (!this.#reading) await closed;
  }
}
