import {
  create,
  type DescMessage,
  type DescMethod,
  type DescMethodBiDiStreaming,
  type DescMethodClientStreaming,
  type DescMethodServerStreaming,
  type DescMethodUnary,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import * as grpc from "@grpc/grpc-js";
import { Retry, type RetryPolicy } from "./retry.js";
import { type OutcomeName, type ReasonName, SafefileError } from "./safefile-error.js";
import { traced } from "./trace-context.js";

export interface ChannelOptions {
  readonly address: string;
  readonly credentials: grpc.ChannelCredentials;
  /** How many bytes the server may send before they are read, on the connection and on each stream. */
  readonly receiveBytes: number;
  readonly retry: RetryPolicy;
}

/** One call. */
export interface CallContext {
  readonly deadlineMs: number;
  readonly signal: AbortSignal | undefined;
  /** The request's id when the call is a change; its errors then say an outcome. */
  readonly requestId: string | undefined;
}

/** A page of 1,000 long paths fits; anything larger is not ours. */
const MESSAGE_BYTES_MAX = 16 * 1024 * 1024;
/** A dead connection is noticed after the two together, also by streams that are only listened to. */
const KEEPALIVE_MS = 30_000;
const KEEPALIVE_ANSWER_MS_MAX = 15_000;
/** grpc-js says so when nothing was ever sent. */
const NEVER_SENT = /^(No connection established|Name resolution failed)/;
/** Every other reason means that the file is unchanged, unless the error's own outcome says more. */
const OUTCOME_OPEN: ReadonlySet<string> = new Set<ReasonName>(["OUTCOME_UNKNOWN", "INTERNAL"]);

/** The connection to the service: calls by the generated descriptors, with typed errors. */
export class Channel {
  readonly #client: grpc.Client;
  readonly #retry: RetryPolicy;

  constructor({ address, credentials, receiveBytes, retry }: ChannelOptions) {
    this.#retry = retry;
    this.#client = new grpc.Client(address, credentials, {
      "grpc.max_receive_message_length": MESSAGE_BYTES_MAX,
      "grpc-node.flow_control_window": receiveBytes,
      "grpc.keepalive_time_ms": KEEPALIVE_MS,
      "grpc.keepalive_timeout_ms": KEEPALIVE_ANSWER_MS_MAX,
      "grpc.initial_reconnect_backoff_ms": retry.backoffMsMin,
      "grpc.max_reconnect_backoff_ms": Math.max(retry.backoffMsMin, retry.backoffMsMax),
      // Repeats are made above, where request ids and outcomes are known. Below they would only keep every byte of
      // an upload a second time.
      "grpc.enable_retries": 0,
    });
  }

  close(): void {
    this.#client.close();
  }

  /** A unary call, repeated while the service is UNAVAILABLE. */
  async unary<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
    context: CallContext,
  ): Promise<MessageShape<O>> {
    const message = create(method.input, request);
    const endMs = performance.now() + context.deadlineMs;
    const retry = new Retry(this.#retry);
    for (;;) {
      try {
        return await this.#once(method, message, endMs, context);
      } catch (failure) {
        await retry.after(failure, context.signal, endMs);
      }
    }
  }

  /** How often a call that does not go through `unary` may be repeated. */
  retry(): Retry {
    return new Retry(this.#retry);
  }

  serverStream<I extends DescMessage, O extends DescMessage>(
    method: DescMethodServerStreaming<I, O>,
    request: MessageInitShape<I>,
  ): grpc.ClientReadableStream<MessageShape<O>> {
    return this.#client.makeServerStreamRequest(
      pathOf(method),
      (message: MessageShape<I>) => view(toBinary(method.input, message)),
      (bytes) => fromBinary(method.output, bytes),
      create(method.input, request),
      traced(),
    );
  }

  /** `encode` says how a message becomes bytes, so that large ones need no message in between. */
  clientStream<F, I extends DescMessage, O extends DescMessage>(
    method: DescMethodClientStreaming<I, O>,
    encode: (frame: F) => Buffer,
  ): { readonly call: grpc.ClientWritableStream<F>; readonly response: Promise<MessageShape<O>> } {
    const { promise: response, resolve, reject } = Promise.withResolvers<MessageShape<O>>();
    const call = this.#client.makeClientStreamRequest(
      pathOf(method),
      encode,
      (bytes) => fromBinary(method.output, bytes),
      traced(),
      {},
      (error: grpc.ServiceError | null, message?: MessageShape<O>) => {
        if (error !== null) reject(error);
        else resolve(message!);
      },
    );
    // Whoever writes may look at the answer later.
    response.catch(() => undefined);
    return { call, response };
  }

  /** Messages both ways. Whoever takes it listens for its errors. */
  duplexStream<I extends DescMessage, O extends DescMessage>(
    method: DescMethodBiDiStreaming<I, O>,
  ): grpc.ClientDuplexStream<MessageShape<I>, MessageShape<O>> {
    return this.#client.makeBidiStreamRequest(
      pathOf(method),
      (message: MessageShape<I>) => view(toBinary(method.input, message)),
      (bytes) => fromBinary(method.output, bytes),
      traced(),
    );
  }

  #once<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    message: MessageShape<I>,
    endMs: number,
    { signal, requestId }: CallContext,
  ): Promise<MessageShape<O>> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(cancelled(signal, requestId, "NOT_COMMITTED"));
        return;
      }
      const leftMs = endMs - performance.now();
      const call = this.#client.makeUnaryRequest(
        pathOf(method),
        (request: MessageShape<I>) => view(toBinary(method.input, request)),
        (bytes) => fromBinary(method.output, bytes),
        message,
        traced(),
        { deadline: Date.now() + Math.max(0, leftMs) },
        (error: grpc.ServiceError | null, answer?: MessageShape<O>) => {
          signal?.removeEventListener("abort", abort);
          if (error === null) resolve(answer!);
          else if (signal?.aborted && error.code === grpc.status.CANCELLED) {
            reject(cancelled(signal, requestId, "UNKNOWN"));
          } else reject(failed(error, requestId));
        },
      );
      const abort = () => call.cancel();
      signal?.addEventListener("abort", abort, { once: true });
    });
  }
}

/**
 * The error of a call, with the outcome that follows when the service itself said none: a change that was never
 * sent, or that the server does not know, is NOT_COMMITTED; of any other nobody knows.
 */
export function failed(
  error: grpc.ServiceError,
  requestId: string | undefined,
  unanswered: OutcomeName = "UNKNOWN",
): SafefileError {
  const found = SafefileError.fromCall(error);
  if (requestId === undefined) return found;
  const said = found.reason !== undefined && !OUTCOME_OPEN.has(found.reason);
  const refused = said || neverBegan(error);
  const outcome = found.outcome ?? (refused ? "NOT_COMMITTED" : unanswered);
  return found.with({ outcome, metadata: { request_id: requestId } });
}

/** Whether nothing was done by this call for certain: it was never sent, or the server does not know it. */
export function neverBegan(error: grpc.ServiceError): boolean {
  return NEVER_SENT.test(error.details ?? "") || error.code === grpc.status.UNIMPLEMENTED;
}

/** The caller's signal ended the call. */
export function cancelled(
  signal: AbortSignal,
  requestId: string | undefined,
  outcome: OutcomeName | undefined,
): SafefileError {
  return new SafefileError(grpc.status.CANCELLED, "The call was cancelled.", {
    cause: signal.reason,
    ...(requestId === undefined ? {} : { outcome, metadata: { request_id: requestId } }),
  });
}

/** Whether a stream of grpc-js failed, as opposed to whoever fed or read it. */
export function isServiceError(error: unknown): error is grpc.ServiceError {
  return error instanceof Error && "code" in error && typeof error.code === "number" && "metadata" in error;
}

function pathOf(method: DescMethod): string {
  return `/${method.parent.typeName}/${method.name}`;
}

/** The same bytes, not copied. */
function view(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
