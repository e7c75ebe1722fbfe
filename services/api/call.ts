import type { DescMethod, DescService, MessageInitShape } from "@bufbuild/protobuf";
import * as grpc from "@grpc/grpc-js";
import {
  ArgumentInvalidError,
  CallEndedError,
  DrainingError,
  NotImplementedError,
  OutcomeUnknownError,
  OverloadedError,
  type SafeOperationError,
  VolumeUnavailableError,
} from "../errors/index.js";
import { type RpcSpan, traced } from "../telemetry/rpc.js";
import { type Request, Unreadable } from "./definition.js";
import { toSafeOperationError, toServiceError } from "./status.js";

/** What a handler knows of its call besides the request. */
export interface CallContext {
  /** Aborted when the caller has gone or its deadline has passed. */
  readonly signal: AbortSignal;
  /** 32 hex digits. */
  readonly traceId: string;
  /** 16 hex digits; empty where nothing is measured. */
  readonly spanId: string;
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
    ? (request: Request<M>, context: CallContext) => Several<Reply<M>> | Promise<Several<Reply<M>>>
    : M["methodKind"] extends "client_streaming"
      ? (requests: AsyncIterable<Request<M>>, context: CallContext) => Promise<Reply<M>>
      : (requests: AsyncIterable<Request<M>>, context: CallContext) => AsyncIterable<Reply<M>>;
/** As they come, or the few that are all there: these leave at once. */
export type Several<T> = AsyncIterable<T> | readonly T[];
type Reply<M extends DescMethod> = MessageInitShape<M["output"]>;

type AnyCall = grpc.ServerUnaryCall<object, object> &
  grpc.ServerReadableStream<object, object> &
  grpc.ServerWritableStream<object, object>;
type AnyHandler = (input: unknown, context: CallContext) => Promise<object> | Several<object>;

export interface CallLimits {
  /** Calls at once, over all connections. */
  readonly callsMax: number;
}

/** What calls are told by those who look after the replica, and tell them. */
export interface CallsOutside {
  /** A broken assumption of ours. */
  error(error: unknown, method: string): void;
  /** Every failed call. */
  failed(failure: SafeOperationError, traceId: string): void;
  /** Whether the volume answers: calls that need it would hang. */
  readonly volumeAnswers: boolean;
  /** Whether the volume is what was acknowledged: nothing of it is served before. */
  readonly hasRecovered: boolean;
}

/** A call that was not answered yet. */
interface OpenCall {
  readonly method: DescMethod;
  readonly facts: ReadonlyMap<string, string>;
  readonly ended: Ended;
  /** Ends what is listened to, or still being received; what is under way past that goes on. Plain calls need none. */
  readonly drained: AbortController | undefined;
  /** Answers it now, whatever its handler does later. */
  readonly fail: (error: unknown) => void;
}

/** Ends a call before it is answered. Most calls never are, and many never ask for the signal: it is made when they do. */
class Ended {
  private controller: AbortController | undefined;
  /** Set when it has ended. */
  reason: unknown;

  get signal(): AbortSignal {
    if (!this.controller) {
      this.controller = new AbortController();
      if (this.reason !== undefined) this.controller.abort(this.reason);
    }
    return this.controller.signal;
  }

  abort(reason: unknown): void {
    this.reason ??= reason;
    this.controller?.abort(this.reason);
  }
}

/** What an administrator needs when the volume hangs. */
const WITHOUT_VOLUME: ReadonlySet<string> = new Set(["DrainReplica"]);

const isReceived = ({ methodKind }: DescMethod): boolean =>
  methodKind === "client_streaming" || methodKind === "bidi_streaming";
const isSent = ({ methodKind }: DescMethod): boolean =>
  methodKind === "server_streaming" || methodKind === "bidi_streaming";
const isAllThere = Array.isArray as <T>(messages: Several<T>) => messages is readonly T[];
const isListenedTo = ({ methodKind, name }: DescMethod): boolean =>
  methodKind === "server_streaming" && name.startsWith("Watch");

/** Runs every call the same way: a span, a signal for its end, errors as google.rpc.Status. */
export class Calls {
  private underWay = 0;
  private readonly open = new Set<OpenCall>();

  constructor(
    private readonly limits: CallLimits,
    private readonly outside: CallsOutside,
  ) {}

  /** The replica drains: ends what would never end by itself, and what could not be carried out when it is here. */
  drainStreams(): void {
    for (const each of this.open) {
      each.drained?.abort(new DrainingError());
      if (isListenedTo(each.method)) each.ended.abort(new DrainingError());
    }
  }

  /** The time for draining is over: changes that have not reached the journal stop, each caller is told so. */
  abortChanges(): void {
    for (const each of this.open) if (isChange(each)) each.ended.abort(new DrainingError());
  }

  /**
   * Answers all calls at once, because what they wait for may never come: nothing was served or changed, but of a
   * change that has begun nobody knows. One that has not passed the lease yet stops there when it goes on.
   */
  answerAll(refusal: SafeOperationError): void {
    for (const each of this.open) {
      if (WITHOUT_VOLUME.has(each.method.name)) continue;
      const path = each.facts.get("path") ?? "";
      const operationId = each.facts.get("operation_id") ?? "";
      each.fail(isChange(each) ? new OutcomeUnknownError({ path, operationId }, refusal) : refusal);
    }
  }

  /** What grpc-js calls for each method of `service`. */
  implement<S extends DescService>(service: S, handlers: Handlers<S>): grpc.UntypedServiceImplementation {
    const implementation: grpc.UntypedServiceImplementation = {};
    for (const method of service.methods) {
      const handler = handlers[method.localName] as AnyHandler | undefined;
      const handle = (call: AnyCall, callback?: grpc.sendUnaryData<object>): void => {
        this.handle(service, method, handler, call, callback).catch((error: unknown) =>
          this.outside.error(error, method.name),
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
    const ended = new Ended();
    const drained = isReceived(method) || isListenedTo(method) ? new AbortController() : undefined;
    const carrier = { get: (key: string) => call.metadata.get(key)[0]?.toString() };
    this.underWay += 1;
    await traced(carrier, { service: service.typeName, method: method.name }, async (span) => {
      const facts = new Map([["trace_id", span.traceId]]);
      const fail = (error: unknown): void => {
        if (!this.open.delete(open)) return;
        ended.abort(error);
        this.fail(error, method, span, facts, call, callback);
      };
      const open: OpenCall = { method, facts, ended, drained, fail };
      this.open.add(open);
      // Said of each call in the end, also of those that were answered.
      call.on("cancelled", () => this.open.has(open) && ended.abort(new CallEndedError()));
      try {
        if (!handler) throw new NotImplementedError({ what: `${service.typeName}/${method.name}` });
        if (this.underWay > this.limits.callsMax)
          throw new OverloadedError({ what: "calls under way", limit: this.limits.callsMax });
        if (!this.outside.hasRecovered)
          throw new VolumeUnavailableError(undefined, "This replica has just started and still recovers the volume.");
        if (!this.outside.volumeAnswers && !WITHOUT_VOLUME.has(method.name))
          throw new VolumeUnavailableError(new Error("no call to it has come back for volumeSilentMs"));
        const { traceId, spanId } = span;
        const context: CallContext = {
          traceId,
          spanId,
          facts,
          get signal() {
            return ended.signal;
          },
        };
        const input = drained && isReceived(method) ? readable(call, drained.signal) : readableOne(call.request);
        const output = handler(input, context);
        if (isSent(method)) {
          await this.stream((await output) as Several<object>, call, ended);
          if (isListenedTo(method)) drained?.signal.throwIfAborted();
          if (this.open.delete(open)) call.end();
        } else {
          const answer = await output;
          if (this.open.delete(open)) callback?.(null, answer);
        }
      } catch (error) {
        // A watch that was ended has its own words for that; what its caller needs to know is why.
        fail(isListenedTo(method) && drained?.signal.aborted ? drained.signal.reason : error);
      }
    });
    this.underWay -= 1;
  }

  private async stream(output: Several<object>, call: AnyCall, ended: Ended): Promise<void> {
    if (isAllThere(output)) {
      if (ended.reason !== undefined) throw ended.reason;
      for (const message of output) call.write(message);
      return;
    }
    const { signal } = ended;
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
    if (failure.reason === "INTERNAL") this.outside.error(error, method.name);
    this.outside.failed(failure, span.traceId);
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

/** A change that has begun names its operation. */
const isChange = ({ facts }: OpenCall): boolean => facts.has("operation_id");

async function* readable(call: AnyCall, drained: AbortSignal): AsyncGenerator<object> {
  const messages = (call as AsyncIterable<object>)[Symbol.asyncIterator]();
  /** Ends the wait under way: one promise for all of them would remember every message of a long upload. */
  let leave = (): void => undefined;
  const end = (): void => leave();
  drained.addEventListener("abort", end, { once: true });
  try {
    for (;;) {
      const next = await new Promise<IteratorResult<object>>((resolve, reject) => {
        leave = () => reject(drained.reason);
        if (drained.aborted) leave();
        else messages.next().then(resolve, reject);
      });
      if (next.done) break;
      yield readableOne(next.value);
    }
  } finally {
    drained.removeEventListener("abort", end);
  }
  // The requests of a call that was cancelled end as if the caller had ended them, and grpc-js says what happened only
  // some time later; sending the headers makes it look. A caller whose cancellation comes in two packets, an end and a
  // reset, is not told from one who has finished: for that an upload declares its size.
  call.sendMetadata(new grpc.Metadata());
  await new Promise((resolve) => setImmediate(resolve));
  if (call.cancelled) throw new CallEndedError();
}
