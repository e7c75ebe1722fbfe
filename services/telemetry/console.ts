import type { HrTime } from "@opentelemetry/api";
import type { ReadableSpan, SpanProcessor } from "@opentelemetry/sdk-trace";
import { renderTrace, type TraceSpan } from "./tree.js";

/** Calls under way that are watched at once: more than a terminal can follow; the oldest is given up for a new one. */
export const TRACES_MAX = 64;

/** Spans kept of one call: an operation has 10 to 30, and a screen fewer lines. Of more, the oldest are given up. */
export const SPANS_MAX = 500;

/** A lease is given back without waiting, so its commands end shortly after the call that they belong to. */
const STRAGGLERS_MS = 50;

export interface TraceConsoleOptions {
  /** Leaves out calls that changed nothing: reads, health checks, watches. */
  readonly operationsOnly?: boolean;
  readonly write?: (text: string) => unknown;
}

interface Trace {
  readonly root: string;
  /** Every span that began, so that its children find the trace. */
  readonly begun: string[];
  readonly finished: TraceSpan[];
  /** How many began, kept or not. */
  spans: number;
  timer: NodeJS.Timeout | undefined;
}

/** Prints each finished call as a tree, for a person in front of a terminal. In bounded memory, whatever happens. */
export class TraceConsole implements SpanProcessor {
  /** By the span id of the call; in the order they began. */
  private readonly traces = new Map<string, Trace>();
  private readonly traceOf = new Map<string, Trace>();
  private readonly operationsOnly: boolean;
  private readonly write: (text: string) => unknown;

  constructor({ operationsOnly = false, write = (text) => process.stdout.write(text) }: TraceConsoleOptions = {}) {
    this.operationsOnly = operationsOnly;
    this.write = write;
  }

  /** Spans that are held, for whoever wants to see that they are few. */
  get size(): number {
    return this.traceOf.size;
  }

  onStart(span: ReadableSpan): void {
    const { spanId } = span.spanContext();
    const trace = this.traceFor(span);
    if (trace === undefined) return;
    // The call's own span, the first, stays: without it the rest would never be printed.
    if (trace.begun.length >= SPANS_MAX) this.traceOf.delete(trace.begun.splice(1, 1)[0]!);
    trace.spans += 1;
    trace.begun.push(spanId);
    this.traceOf.set(spanId, trace);
  }

  onEnd(span: ReadableSpan): void {
    const { spanId } = span.spanContext();
    const trace = this.traceOf.get(spanId);
    if (trace === undefined) return;
    if (trace.finished.length >= SPANS_MAX) trace.finished.shift();
    trace.finished.push(drawn(span));
    if (spanId === trace.root) trace.timer = setTimeout(() => this.print(trace), STRAGGLERS_MS).unref();
  }

  async forceFlush(): Promise<void> {
    for (const trace of [...this.traces.values()]) if (trace.timer !== undefined) this.print(trace);
  }

  async shutdown(): Promise<void> {
    await this.forceFlush();
    for (const trace of [...this.traces.values()]) this.forget(trace);
  }

  /** A new one for a call; undefined for what began below a span that is no longer held, too late to be shown. */
  private traceFor(span: ReadableSpan): Trace | undefined {
    const parent = span.parentSpanContext;
    if (parent === undefined || parent.isRemote) return this.begin(span.spanContext().spanId);
    return this.traceOf.get(parent.spanId);
  }

  private begin(root: string): Trace {
    const [oldest] = this.traces.values();
    if (oldest !== undefined && this.traces.size >= TRACES_MAX) this.forget(oldest);
    const trace: Trace = { root, begun: [], finished: [], spans: 0, timer: undefined };
    this.traces.set(root, trace);
    return trace;
  }

  private print(trace: Trace): void {
    this.forget(trace);
    if (this.operationsOnly && !trace.finished.some((span) => "safefile.operation.id" in span.attributes)) return;
    const missing = trace.spans - trace.finished.length;
    const note = missing > 0 ? `… ${missing} spans were not kept, or have not ended\n` : "";
    this.write(`\n${renderTrace(trace.finished)}${note}`);
  }

  private forget(trace: Trace): void {
    clearTimeout(trace.timer);
    this.traces.delete(trace.root);
    for (const spanId of trace.begun) this.traceOf.delete(spanId);
  }
}

function drawn(span: ReadableSpan): TraceSpan {
  const { traceId, spanId } = span.spanContext();
  const { name, attributes, status, parentSpanContext } = span;
  const parentSpanId = parentSpanContext?.spanId ?? "";
  const [startNs, endNs] = [nanoseconds(span.startTime), nanoseconds(span.endTime)];
  return { traceId, spanId, parentSpanId, name, startNs, endNs, attributes, status };
}

const nanoseconds = ([seconds, rest]: HrTime): bigint => BigInt(seconds) * 1_000_000_000n + BigInt(Math.round(rest));
