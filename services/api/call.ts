import type { DescMethod, DescService, MessageInitShape } from "@bufbuild/protobuf";
import * as grpc from "@grpc/grpc-js";
import { ArgumentInvalidError, CallEndedError, NotImplementedError, OverloadedError } from "../errors/index.js";
import { type RpcSpan, traced } from "../telemetry/rpc.js";
import { type Request, Unreadable } from "./definition.js";
import { toSafeOperationError, toServiceError } from "./status.js";

/** What a handler knows of its call besides the request. */
export interface CallContext {
  /** Aborted when the caller has gone or its deadline has passed. */
  readonly signal: AbortSignal;
  /** 32 hex digits. */
  readonly traceId: string;
  /** What an error of this call names besides its own values: which file, which request. */
  readonly facts: Map<string, string>;
}

type Sent = (message: object) => Promise<void>;

/** The handlers of a service, by its methods' names. What is missing answers UNIMPLEMENTED. */
export type Handlers<S extends DescService> = {
  readonly [K in keyof S["method"]]?: Handler<S["method"][K]>;
};

type Handler<M extends DescMethod> = M["methodKind"] extends "unary"
  ? (request: Request<M>, context: CallContext) => Promise<Reply<M>>
  : M["methodKind"] extends "server_streaming"
    ? (request: Request<M>, context: CallContext) => AsyncIterable<Reply<M>>
    : M["methodKind"] extends "client_streaming"
      ? (requests: AsyncIterable<Request<M>>, context: CallContext) => Promise<Reply<M>>
      : (requests: AsyncIterable<Request<M>>, context: CallContext) => AsyncIterable<Reply<M>>;
type Reply<M extends DescMethod> = MessageInitShape<M["output"]>;

type AnyCall = grpc.ServerUnaryCall<object, object> &
  grpc.ServerReadableStream<object, object> &
  grpc.ServerWritableStream<object, object>;
type AnyHandler = (input: unknown, context: CallContext) => Promise<object> | AsyncIterable<object>;

export interface CallLimits {
  /** Calls at once, over all connections. */
  readonly callsMax: number;
}

/** Runs every call the same way: a span, a signal for its end, errors as google.rpc.Status. */
export class Calls {
  private underWay = 0;

  constructor(
    private readonly limits: CallLimits,
    private readonly onError: (error: unknown, method: string) => void,
  ) {}

  /** What grpc-js calls for each method of `service`. */
  implement<S extends DescService>(service: S, handlers: Handlers<S>): grpc.UntypedServiceImplementation {
    const implementation: grpc.UntypedServiceImplementation = {};
    for (const method of service.methods) {
      const handler = handlers[method.localName] as AnyHandler | undefined;
      const handle = (call: AnyCall, callback?: grpc.sendUnaryData<object>): void => {
        this.handle(service, method, handler, call, callback).catch((error: unknown) =>
          this.onError(error, method.name),
        );
      };
      implementation[method.localName] = handle as grpc.UntypedHandleCall;
    }
    return implementation;
  }

  private async handle(
    service: DescService,
    method: DescMethod,
    handler: AnyHandler | undefined,
    call: AnyCall,
    callback: grpc.sendUnaryData<object> | undefined,
  ): Promise<void> {
    const ended = new AbortController();
    call.on("cancelled", () => ended.abort(new CallEndedError()));
    const carrier = { get: (key: string) => call.metadata.get(key)[0]?.toString() };
    this.underWay += 1;
    await traced(carrier, { service: service.typeName, method: method.name }, async (span) => {
      const facts = new Map([["trace_id", span.traceId]]);
      try {
        if (!handler) throw new NotImplementedError({ what: `${service.typeName}/${method.name}` });
        if (this.underWay > this.limits.callsMax)
          throw new OverloadedError({ what: "calls under way", limit: this.limits.callsMax });
        const context = { signal: ended.signal, traceId: span.traceId, facts };
        const isStream = method.methodKind === "client_streaming" || method.methodKind === "bidi_streaming";
        const input = isStream ? readable(call) : readableOne(call.request);
        const output = handler(input, context);
        if (Symbol.asyncIterator in output) await this.stream(output, call, ended.signal);
        else callback?.(null, await output);
      } catch (error) {
        this.fail(error, method, span, facts, call, callback);
      }
    });
    this.underWay -= 1;
  }

  private async stream(output: AsyncIterable<object>, call: AnyCall, signal: AbortSignal): Promise<void> {
    const send: Sent = (message) =>
      new Promise((resolve, reject) => {
        if (signal.aborted) reject(signal.reason);
        else if (call.write(message)) resolve();
        else {
          const leave = (): void => reject(signal.reason);
          signal.addEventListener("abort", leave, { once: true });
          call.once("drain", () => {
            signal.removeEventListener("abort", leave);
            resolve();
          });
        }
      });
    for await (const message of output) await send(message);
    call.end();
  }

  private fail(
    error: unknown,
    method: DescMethod,
    span: RpcSpan,
    facts: ReadonlyMap<string, string>,
    call: AnyCall,
    callback: grpc.sendUnaryData<object> | undefined,
  ): void {
    const failure = toSafeOperationError(error);
    if (failure.reason === "INTERNAL") this.onError(error, method.name);
    span.fail(failure.status, failure.reason);
    const status = toServiceError(failure, facts);
    if (callback) callback(status, null);
    else call.emit("error", status);
  }
}

function readableOne(request: object): object {
  if (request instanceof Unreadable)
    throw new ArgumentInvalidError({ field: "request", problem: "is not a well-formed message of this RPC" });
  return request;
}

async function* readable(call: AnyCall): AsyncGenerator<object> {
  for await (const request of call) yield readableOne(request);
  // The requests of a call that was cancelled end as if the caller had ended them, and grpc-js says what happened only
  // some time later; sending the headers makes it look. A caller whose cancellation comes in two packets, an end and a
  // reset, is not told from one who has finished: for that an upload declares its size.
  call.sendMetadata(new grpc.Metadata());
  await new Promise((resolve) => setImmediate(resolve));
  if (call.cancelled) throw new CallEndedError();
}
