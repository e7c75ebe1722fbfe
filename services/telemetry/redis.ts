import { type Span, type SpanStatus, SpanStatusCode } from "@opentelemetry/api";
import { IORedisInstrumentation } from "@opentelemetry/instrumentation-ioredis";

/** A Redis error begins with its code in capitals: NOSCRIPT, WRONGTYPE, ERR. */
const CODE = /^[A-Z]{2,20}(?= )/;

/**
 * Spans for Redis commands within a trace: name, duration, server and error code. Keys and values hold paths and
 * metadata of files, and Redis quotes arguments in its errors, so none of them leaves the process (I15).
 */
export function redisSpans(): IORedisInstrumentation {
  return new IORedisInstrumentation({
    // Renewals and subscriptions outside an operation would each be a trace of one span.
    requireParentSpan: true,
    dbStatementSerializer: (command) => String(command),
    requestHook: redactErrors,
  });
}

function redactErrors(span: Span): void {
  const setStatus = span.setStatus.bind(span);
  span.setStatus = ({ code, message }: SpanStatus) =>
    setStatus(code === SpanStatusCode.ERROR ? { code, message: CODE.exec(message ?? "")?.[0] ?? "FAILED" } : { code });
  span.recordException = () => undefined;
}
