import { type Attributes, metrics, type Span, SpanStatusCode, trace } from "@opentelemetry/api";
import { SafeOperationError } from "../errors/index.js";
import type { Operation } from "../model/operation-request.js";
import { pathHash } from "../model/path.js";
import type { StageName } from "../model/receipt.js";
import { changeOf, type OperationRecord } from "../model/record.js";
import type { Observer } from "../pipeline/pipeline.js";
import { BOUNDARIES_SECONDS } from "./boundaries.js";
import { nowMs } from "./clock.js";
import { granted, grantedIn, refused } from "./locks.js";
import { reasonOf } from "./reason.js";

const tracer = trace.getTracer("safefile");
const durations = metrics.getMeter("safefile").createHistogram("safefile.stage.duration", {
  unit: "s",
  description: "How long a stage of the pipeline took, by stage and by the reason it failed with, or OK.",
  advice: { explicitBucketBoundaries: [...BOUNDARIES_SECONDS] },
});

/** For a replica that exports nothing: a span that is none costs, too. */
export const unobserved: Observer = { stage: (_stage, _operation, call) => call() };

/** One span and one measurement for each stage, named like the stage; what Redis does meanwhile is below the span. */
export const observer: Observer = {
  stage(stage, operation, call) {
    return tracer.startActiveSpan(stage, { startTime: nowMs() }, async (span) => {
      const startMs = performance.now();
      let reason = "OK";
      if (span.isRecording()) span.setAttributes(attributesOf(operation));
      try {
        const ticket = await call();
        const lease = stage === "lock" ? grantedIn(ticket) : undefined;
        if (lease) granted(span, lease);
        if (span.isRecording() && (stage === "commit" || stage === "recover"))
          span.setAttributes(outcomeOf(recordIn(ticket), operation));
        return ticket;
      } catch (error) {
        reason = reasonOf(error);
        if (stage === "lock") refused(performance.now() - startMs, reason);
        if (span.isRecording()) describe(span, error, stage, operation);
        throw error;
      } finally {
        span.end(nowMs());
        durations.record((performance.now() - startMs) / 1000, { stage, reason });
      }
    });
  },
};

/** Hashes and sizes only: a path may say as much as the bytes it names (I15). */
function attributesOf({ id, intents }: Operation): Attributes {
  const sizes = intents.flatMap(({ source }) => {
    if (source === undefined) return [];
    if (source.from === "bytes" || source.from === "append") return [source.bytes.length];
    if (source.from === "upload") return [source.sizeBytes];
    return source.from === "revision" ? [source.sizeBytes] : [];
  });
  const [first] = intents;
  return {
    "safefile.operation.id": id,
    "safefile.paths": intents.length,
    ...(first && { "safefile.path.hash": pathHash(first.path) }),
    ...(sizes.length > 0 && { "safefile.bytes": sizes.reduce((sum, size) => sum + size, 0) }),
  };
}

function outcomeOf(record: OperationRecord | undefined, { intents }: Operation): Attributes {
  if (record === undefined) return {};
  const [first] = intents;
  const revision = first && changeOf(record, first.path)?.revision;
  return { "safefile.outcome": "COMMITTED", ...(revision !== undefined && { "safefile.revision": revision }) };
}

function describe(span: Span, error: unknown, stage: StageName, operation: Operation): void {
  const reason = reasonOf(error);
  if (reason === "OK") {
    // The request was carried out before, and the stage has found that out.
    span.setAttributes({ "safefile.replayed": true, ...outcomeOf(recordIn(error), operation) });
    return;
  }
  // The sentence names the path, so only the constant leaves the process (I15).
  span.setStatus({ code: SpanStatusCode.ERROR, message: reason });
  span.setAttribute("error.type", reason);
  if (error instanceof SafeOperationError && (stage === "commit" || stage === "recover"))
    span.setAttribute("safefile.outcome", error.outcome);
}

/** A receipt and an earlier outcome both carry the record; anything else does not. */
function recordIn(value: unknown): OperationRecord | undefined {
  if (typeof value !== "object" || value === null || !("record" in value)) return undefined;
  return value.record as OperationRecord | undefined;
}
