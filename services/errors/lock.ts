import { SafeOperationError } from "./safe-operation-error.js";

/** The change could not get, or could not keep, its turn. */
export class LockError extends SafeOperationError {}

export class LockTimeoutError extends LockError {
  constructor(details: { path: string; waitedMs: number; holder?: string | undefined }) {
    const { path, holder } = details;
    const waitedMs = Math.round(details.waitedMs);
    super(
      "LOCK_TIMEOUT",
      "ABORTED",
      `${path} was busy for ${waitedMs} ms${holder ? `: ${holder} has it` : ""}. Nothing was changed; try again, or allow a longer lock_wait.`,
      { metadata: { path, waited_ms: waitedMs, ...(holder ? { holder } : {}) }, retryAfterMs: 100 },
    );
  }
}

export class LockLostError extends LockError {
  constructor(details: { path: string }) {
    super(
      "LOCK_LOST",
      "ABORTED",
      `The lease on ${details.path} ran out before the change was decided. It was stopped and nothing was changed; try again.`,
      { metadata: details, retryAfterMs: 100 },
    );
  }
}

export class LockFencedError extends LockError {
  constructor(details: { path: string; operationId: string }) {
    super(
      "LOCK_FENCED",
      "ABORTED",
      `Another writer took over ${details.path} while this change was held up, and stopped it. Nothing of it was published; read the file again and decide anew.`,
      { metadata: { path: details.path, operation_id: details.operationId } },
    );
  }
}

/** Of several streams with one upload_id the latest goes on. */
export class UploadTakenOverError extends LockError {
  constructor(details: { path: string; uploadId: string }) {
    const { path, uploadId } = details;
    super(
      "LOCK_FENCED",
      "ABORTED",
      `Another stream took over upload_id ${uploadId} for ${path} and goes on with its bytes. Nothing of this stream was published; wait for the other one, or upload under an upload_id of your own.`,
      { metadata: { path, upload_id: uploadId } },
    );
  }
}

export class LockUnavailableError extends LockError {
  constructor(details: { path: string }, cause: unknown) {
    super(
      "LOCK_UNAVAILABLE",
      "UNAVAILABLE",
      `No majority of the lock servers answered${details.path && ` for ${details.path}`}. Nothing was changed; try again.`,
      { metadata: details, retryAfterMs: 500, cause },
    );
  }
}

/** Steps of a circle that an error names: more would help nobody. */
const STEPS_MAX = 8;

interface Step {
  readonly party: string;
  /** What it calls itself, and the operation that waits; empty when there is none. */
  readonly name: string;
  readonly operation: string;
  /** What it waits for. */
  readonly path: string;
}

/** Of those who wait in a circle, this one gives way. `circle` begins with it; each waits for what the next has. */
export class LockDeadlockError extends LockError {
  /** Who is in the circle, each waiting for the next; the first gives way. */
  readonly parties: readonly string[];

  constructor({ circle }: { circle: readonly Step[] }) {
    const [own] = circle;
    const path = own?.path ?? "";
    const steps = circle.slice(0, STEPS_MAX).map((step, at) => {
      const next = circle[at + 1];
      return `${at === 0 ? "this call" : calledOf(step)} waits for ${step.path || "the root"}, where ${next ? calledOf(next) : "this call"} is in the way`;
    });
    const more = circle.length > STEPS_MAX ? `; and ${circle.length - STEPS_MAX} more` : "";
    super(
      "LOCK_DEADLOCK",
      "ABORTED",
      `Waiting for ${path || "the root"} would never have ended: ${steps.join("; ")}${more}. Nothing was changed; release what you hold, then try again, taking paths in sorted order.`,
      {
        metadata: {
          path,
          circle: JSON.stringify(circle.slice(0, STEPS_MAX)),
          circle_size: circle.length,
        },
        retryAfterMs: 100,
      },
    );
    this.parties = circle.slice(0, STEPS_MAX).map(({ party }) => party);
  }
}

const calledOf = ({ party, name, operation }: Step): string =>
  name ? `${name} (${operation || party})` : operation ? `operation ${operation}` : party;
