import { type OutcomeName, SafefileError } from "@safefile/client";

/** Documented in --help and in the README. */
export const EXIT = { ok: 0, failed: 1, usage: 2, notFound: 3, conflict: 4, unavailable: 5, unknown: 6 } as const;

export const EXIT_HELP = `
Exit codes:
  0  done
  1  failed
  2  wrong usage, or a path or argument that the service refuses
  3  not found
  4  conflict: a precondition did not hold, the path is taken or locked
  5  the service is unavailable; nothing was changed
  6  the outcome is unknown; repeat with the same --request-id`;

/** Something the command itself has to say, in a sentence. */
export class CliError extends Error {
  constructor(
    message: string,
    readonly exitCode: number = EXIT.failed,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** An error as it is shown: to people as lines, to programs as a document. */
export interface Failure {
  readonly message: string;
  readonly exitCode: number;
  readonly code?: string;
  readonly reason?: string;
  readonly outcome?: OutcomeName;
  readonly stage?: string;
  readonly path?: string;
  readonly requestId?: string;
  readonly traceId?: string;
  readonly retryAfterMs?: number;
  readonly details?: readonly string[];
  /** What to do next. */
  readonly advice?: string;
}

const CONFLICT_REASON = /^(PRECONDITION_FAILED|ALREADY_EXISTS|DIRECTORY_NOT_EMPTY|LOCK_(?!UNAVAILABLE))/;
const CONFLICT_STATUS = new Set(["ABORTED", "ALREADY_EXISTS", "FAILED_PRECONDITION"]);
const USAGE_REASON = new Set(["PATH_INVALID", "ARGUMENT_INVALID", "REQUEST_ID_REUSED"]);
const REFUSED = /No connection established|ECONNREFUSED|Name resolution failed/;

export function failureOf(error: unknown, address: string): Failure {
  if (error instanceof SafefileError) return ofService(error, address);
  if (error instanceof CliError) return { message: error.message, exitCode: error.exitCode };
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === "ENOENT") return { message: `Not found on this machine: ${message}`, exitCode: EXIT.notFound };
  return { message: message ?? String(error), exitCode: EXIT.failed };
}

/** The lines of a failure, the last of them what to do next. */
export function* linesOf(failure: Failure): Generator<string> {
  yield `safefile: ${failure.message}${failure.reason === undefined ? "" : ` [${failure.reason}]`}`;
  for (const detail of failure.details ?? []) yield `  ${detail}`;
  if (failure.advice !== undefined) yield `  ${failure.advice}`;
}

function ofService(error: SafefileError, address: string): Failure {
  const { reason, outcome, stage, retryAfterMs, requestId } = error;
  const { path, trace_id: traceId } = error.metadata;
  const advice = adviceFor(error, address);
  return {
    message: sentence(error),
    exitCode: exitCodeOf(error),
    code: error.status,
    ...(reason === undefined ? {} : { reason }),
    ...(outcome === undefined ? {} : { outcome }),
    ...(stage === undefined ? {} : { stage }),
    ...(path === undefined ? {} : { path }),
    ...(requestId === undefined ? {} : { requestId }),
    ...(traceId === undefined ? {} : { traceId }),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    ...(error.fieldViolations.length === 0 ? {} : { details: violations(error) }),
    ...(advice === undefined ? {} : { advice }),
  };
}

function exitCodeOf({ status, reason, outcome }: SafefileError): number {
  if (outcome === "UNKNOWN") return EXIT.unknown;
  if (reason !== undefined && CONFLICT_REASON.test(reason)) return EXIT.conflict;
  if (reason !== undefined && USAGE_REASON.has(reason)) return EXIT.usage;
  if (status === "NOT_FOUND") return EXIT.notFound;
  if (CONFLICT_STATUS.has(status) && reason === undefined) return EXIT.conflict;
  if (status === "UNAVAILABLE" || status === "DEADLINE_EXCEEDED") return EXIT.unavailable;
  return EXIT.failed;
}

function sentence(error: SafefileError): string {
  if (isRefused(error)) return "No Safefile replica answers at this address. Nothing was changed.";
  if (error.reason !== undefined) return error.message;
  return `${error.message} (${error.status})${outcomeSentence(error.outcome)}`;
}

function outcomeSentence(outcome: OutcomeName | undefined): string {
  if (outcome === "NOT_COMMITTED") return " Nothing was changed.";
  if (outcome === "UNKNOWN") return " The change may have been made or not.";
  return "";
}

function adviceFor(error: SafefileError, address: string): string | undefined {
  if (isRefused(error)) {
    return `Start a replica with \`make run\`, or name one with --address or SAFEFILE_ADDRESS (now ${address}).`;
  }
  if (error.outcome === "UNKNOWN" && error.requestId !== undefined) {
    return `Repeat the same command with --request-id ${error.requestId}: it says what became of it, and changes nothing twice.`;
  }
  if (error.retryAfterMs !== undefined) return `Try again in ${Math.ceil(error.retryAfterMs / 1_000)} s.`;
  return undefined;
}

function isRefused({ status, reason, message }: SafefileError): boolean {
  return status === "UNAVAILABLE" && reason === undefined && REFUSED.test(message);
}

/** Only what the message does not say already. */
function violations({ fieldViolations, message }: SafefileError): string[] {
  return fieldViolations
    .filter(({ description }) => !message.includes(description))
    .map(({ field, description }) => `${field}: ${description}`);
}
