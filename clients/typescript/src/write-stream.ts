import type { ClientDuplexStream, ServiceError } from "@grpc/grpc-js";
import { status as Code } from "@grpc/grpc-js";
import { type Channel, neverBegan } from "./channel.js";
import {
  FileOpsService,
  type WriteFilesRequest,
  type WriteFilesResponse,
} from "./gen/safefile/v1/file_ops_service_pb.js";
import type { Retry } from "./retry.js";
import { SafefileError } from "./safefile-error.js";

/** A write that has no answer yet. Its message, and with it its request id, is the same for all attempts. */
export interface PendingWrite {
  readonly requestId: string;
  readonly path: string;
  readonly request: WriteFilesRequest;
  readonly sizeBytes: number;
  /** How long its answer may take. */
  readonly answerMsMax: number;
  readonly retry: Retry;
  /** Where it waits for its answer. Undefined while it waits to be sent. */
  stream: WriteStream | undefined;
  /** A stream broke on which it may have been carried out. */
  lost: boolean;
}

/** Why a stream is over, and which writes it left without an answer. */
export interface Break {
  readonly error: SafefileError;
  readonly left: readonly PendingWrite[];
}

export interface WriteStreamEvents {
  answered(write: PendingWrite, answer: WriteFilesResponse["answer"]): void;
  broken(stream: WriteStream, found: Break): void;
}

/** One call of WriteFiles. */
export class WriteStream {
  readonly #call: ClientDuplexStream<WriteFilesRequest, WriteFilesResponse>;
  readonly #pending = new Map<string, PendingWrite>();
  #answerMsMax = 0;
  #timer: NodeJS.Timeout | undefined;
  #expired = false;
  #over = false;

  constructor(
    channel: Channel,
    private readonly events: WriteStreamEvents,
  ) {
    this.#call = channel.duplexStream(FileOpsService.method.writeFiles);
    this.#call.on("data", (response: WriteFilesResponse) => this.#answer(response));
    this.#call.on("error", (error: ServiceError) => this.#break(error));
    this.#call.on("end", () => this.#break(undefined));
  }

  send(write: PendingWrite): void {
    write.stream = this;
    this.#pending.set(write.requestId, write);
    this.#answerMsMax = Math.max(this.#answerMsMax, write.answerMsMax);
    if (this.#timer === undefined) this.#wait();
    this.#call.write(write.request);
  }

  /** No more will be sent; what was sent is still answered. */
  end(): void {
    if (!this.#over && !this.#call.writableEnded) this.#call.end();
  }

  /** Leaves at once, without a word to `events`. */
  cancel(): void {
    this.#over = true;
    clearTimeout(this.#timer);
    this.#call.cancel();
  }

  #answer({ requestId, answer }: WriteFilesResponse): void {
    const write = this.#pending.get(requestId);
    if (write === undefined || this.#over) return;
    this.#pending.delete(requestId);
    write.stream = undefined;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#pending.size > 0) this.#wait();
    this.events.answered(write, answer);
  }

  #wait(): void {
    this.#timer = setTimeout(() => {
      this.#expired = true;
      this.#call.cancel();
    }, this.#answerMsMax);
  }

  #break(cause: ServiceError | undefined): void {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#timer);
    const left = [...this.#pending.values()];
    this.#pending.clear();
    for (const write of left) {
      write.stream = undefined;
      if (cause === undefined || !neverBegan(cause)) write.lost = true;
    }
    this.events.broken(this, { error: this.#reason(cause), left });
  }

  #reason(cause: ServiceError | undefined): SafefileError {
    if (cause === undefined) return new SafefileError(Code.UNAVAILABLE, "The server ended the stream of writes.");
    if (!this.#expired) return SafefileError.fromCall(cause);
    return new SafefileError(Code.DEADLINE_EXCEEDED, "The server took too long to answer a write.", { cause });
  }
}
