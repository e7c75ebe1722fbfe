import { metrics, type Span, TraceFlags } from "@opentelemetry/api";
import type { LeaseWait } from "../model/lease-wait.js";
import { BOUNDARIES_SECONDS } from "./boundaries.js";

/** These end a wait; whatever else fails in the stage comes after it. */
const ENDS_OF_WAITS = new Set(["LOCK_TIMEOUT", "LOCK_DEADLOCK", "LOCK_UNAVAILABLE"]);
const SPAN_ID = /^(?!0{16})[0-9a-f]{16}$/;
const TRACE_ID = /^(?!0{32})[0-9a-f]{32}$/;

const meter = metrics.getMeter("safefile");
const waits = meter.createHistogram("safefile.lock.wait", {
  unit: "s",
  description: "How long operations waited for their leases, by the reason that ended the wait, or OK.",
  advice: { explicitBucketBoundaries: [...BOUNDARIES_SECONDS] },
});
const holds = meter.createHistogram("safefile.lock.hold", {
  unit: "s",
  description: "How long operations held their leases.",
  advice: { explicitBucketBoundaries: [...BOUNDARIES_SECONDS] },
});
const requests = meter.createCounter("safefile.lock.requests", {
  unit: "{request}",
  description: "Leases that operations asked for, by whether they had to wait and by the reason it failed with, or OK.",
});
const queue = meter.createObservableGauge("safefile.lock.queue", {
  unit: "{request}",
  description: "Requests for leases that wait in this replica now.",
});
const leases = meter.createObservableGauge("safefile.lock.leases", {
  unit: "{lease}",
  description: "Leases that this replica holds now, those included that it keeps for the next operation.",
});

/** The ticket of the stage `lock`, as far as it is looked at here. */
export interface Granted {
  readonly wait: LeaseWait;
  /** Called when the lease is given back. */
  onReleased: ((heldMs: number) => void) | undefined;
}

/** Counts and gauges never name what is locked, nor by whom (I15). */
export function watchLeases(count: () => { readonly waiting: number; readonly held: number }): void {
  queue.addCallback((result) => result.observe(count().waiting));
  leases.addCallback((result) => result.observe(count().held));
}

/** Says how long it waited, and links to the call that was in the way: in whichever trace, of whichever replica. */
export function granted(span: Span, ticket: Granted): void {
  const { waitedMs, hasWaited, isKept, holder } = ticket.wait;
  waits.record(waitedMs / 1000, { reason: "OK" });
  requests.add(1, { waited: hasWaited, reason: "OK" });
  ticket.onReleased = (heldMs) => holds.record(heldMs / 1000);
  if (!span.isRecording()) return;
  span.setAttributes({
    "safefile.lock.wait_ms": Math.round(waitedMs * 1000) / 1000,
    "safefile.lock.waited": hasWaited,
    "safefile.lock.kept": isKept,
  });
  // They were read from Redis, and what is no id would make the whole span invalid for some collectors.
  if (!hasWaited || !holder || !TRACE_ID.test(holder.traceId) || !SPAN_ID.test(holder.spanId)) return;
  const { traceId, spanId } = holder;
  const context = { traceId, spanId, traceFlags: TraceFlags.NONE, isRemote: true };
  span.addLink({ context, attributes: { "safefile.link": "lock.holder" } });
}

/** The stage `lock` failed. */
export function refused(waitedMs: number, reason: string): void {
  const isWait = ENDS_OF_WAITS.has(reason);
  if (isWait) waits.record(waitedMs / 1000, { reason });
  requests.add(1, { waited: isWait && reason !== "LOCK_UNAVAILABLE", reason });
}

/** Undefined for what is no lease. */
export function grantedIn(ticket: unknown): Granted | undefined {
  if (typeof ticket !== "object" || ticket === null || !("wait" in ticket)) return undefined;
  return ticket as Granted;
}
