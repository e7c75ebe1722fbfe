import { AsyncLocalStorage } from "node:async_hooks";
import { randomBytes, randomUUID } from "node:crypto";
import {
  type Context,
  context,
  isSpanContextValid,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from "@opentelemetry/api";
import { nowMs } from "./clock.js";
import { reasonOf, statusOf } from "./reason.js";

/** Where the headers of a call are read from: gRPC metadata, but gRPC has its own door. */
export interface Carrier {
  get(key: string): string | undefined;
}

export interface Rpc {
  /** Full name of the service: `safefile.v1.FileOpsService`. */
  readonly service: string;
  readonly method: string;
}

/** Only the project's own attributes: what they may hold is decided here and in `observer.ts`. */
export type RpcAttributes = Readonly<Record<`safefile.${string}`, string | number | boolean>>;

export interface RpcSpan {
  /** 32 hex digits, not all zero: the caller's when it sent one. */
  readonly traceId: string;
  /** 16 hex digits; empty where nothing is measured. */
  readonly spanId: string;
  /** Never a path, a label or content (I15). */
  set(attributes: RpcAttributes): void;
  /** The call ends with this gRPC status and reason instead of OK, even though its promise is fulfilled. */
  fail(status: string, reason: string): void;
}

/** Statuses that are the server's fault; the others are answers to a caller who asked for what cannot be had. */
const FAULTS = new Set(["UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"]);

/** W3C trace context, version 00; an id of zeros is none. */
const TRACEPARENT = /^00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;

const tracer = trace.getTracer("safefile");
/** The trace id of the call under way: there without an SDK, too, since every operation records its trace. */
const calls = new AsyncLocalStorage<string>();

/**
 * Runs one call of `rpc` in a span below the caller's. The span ends with the promise, so for a stream the promise
 * must end with the stream. What `call` throws is counted as the call's failure and thrown on.
 */
export function traced<T>(carrier: Carrier, rpc: Rpc, call: (span: RpcSpan) => Promise<T>): Promise<T> {
  const name = `${rpc.service}/${rpc.method}`;
  const parent = callerOf(carrier);
  const attributes = { "rpc.system.name": "grpc", "rpc.method": name };
  const span = tracer.startSpan(name, { kind: SpanKind.SERVER, attributes, startTime: nowMs() }, parent);
  const spanContext = span.spanContext();
  const traceId = isSpanContextValid(spanContext) ? spanContext.traceId : (traceIdOf(carrier) ?? newTraceId());
  const end = new RpcEnd(span);
  const rpcSpan: RpcSpan = {
    traceId,
    spanId: isSpanContextValid(spanContext) ? spanContext.spanId : "",
    set: (attributes) => void span.setAttributes(attributes),
    fail: (status, reason) => end.fail(status, reason),
  };
  return calls.run(traceId, () =>
    context.with(trace.setSpan(parent, span), async () => {
      try {
        return await call(rpcSpan);
      } catch (error) {
        end.fail(statusOf(error), reasonOf(error));
        throw error;
      } finally {
        end.end();
      }
    }),
  );
}

/** The trace of the call under way. Work that no call asked for gets an id of its own each time. */
export function currentTraceId(): string {
  const spanContext = trace.getActiveSpan()?.spanContext();
  return spanContext && isSpanContextValid(spanContext) ? spanContext.traceId : (calls.getStore() ?? newTraceId());
}

/** Hands the trace under way on to a call that this process makes. */
export function inject(set: (key: string, value: string) => void): void {
  let handedOn = false;
  propagation.inject(context.active(), undefined, {
    set(_carrier, key, value) {
      handedOn ||= key === "traceparent";
      set(key, value);
    },
  });
  const traceId = calls.getStore();
  // Not sampled: nobody exports the span in between.
  if (!handedOn && traceId !== undefined) set("traceparent", `00-${traceId}-${randomBytes(8).toString("hex")}-00`);
}

/** Says once how the call ended: the first failure counts, for what follows is a consequence. */
class RpcEnd {
  private status = "OK";

  constructor(private readonly span: Span) {}

  fail(status: string, reason: string): void {
    if (this.status !== "OK" || status === "OK") return;
    this.status = status;
    this.span.setAttribute("error.type", reason);
    if (FAULTS.has(status)) this.span.setStatus({ code: SpanStatusCode.ERROR, message: reason });
  }

  end(): void {
    this.span.setAttribute("rpc.response.status_code", this.status);
    this.span.end(nowMs());
  }
}

function callerOf(carrier: Carrier): Context {
  // The propagators read a handful of headers by name, so no list of keys is needed.
  return propagation.extract(ROOT_CONTEXT, carrier, { get: (from, key) => from.get(key), keys: () => [] });
}

const traceIdOf = (carrier: Carrier): string | undefined => TRACEPARENT.exec(carrier.get("traceparent") ?? "")?.[1];

/** Of a UUID, never zeros: Node draws many at once, where 16 bytes of their own take longer than all else here. */
const newTraceId = (): string => randomUUID().replaceAll("-", "");
