import { SafeOperationError } from "../errors/index.js";

/**
 * The constant that stands for `error` in spans and metrics. Never its sentence, which may name paths (I15) and
 * would make a time series of its own. "OK" for what is thrown and yet no failure: an earlier call made the change.
 */
export function reasonOf(error: unknown): string {
  if (error instanceof SafeOperationError) return error.reason;
  // By name, for telemetry knows the shapes of the pipeline and none of the stages that throw it.
  if (error instanceof Error && error.name === "EarlierOutcome") return "OK";
  return error instanceof DOMException && error.name === "AbortError" ? "CANCELLED" : "INTERNAL";
}

/** The gRPC status that `error` ends a call with when nobody has said so. */
export function statusOf(error: unknown): string {
  if (error instanceof SafeOperationError) return error.status;
  return reasonOf(error);
}
