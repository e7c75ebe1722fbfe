import { SafeOperationError } from "./errors/index.js";
import { type IncidentLimits, Incidents } from "./incidents/incidents.js";
import type { Ledger } from "./incidents/ledger.js";
import type { Broken } from "./lock/client-locks/broken.js";
import type { Operation } from "./model/operation-request.js";
import type { StageName } from "./model/receipt.js";
import type { OperationRecord } from "./model/record.js";
import type { Observer } from "./pipeline/pipeline.js";
import { volumeError } from "./protocol/said.js";
import type { Rebuilt } from "./recover/rebuild.js";
import type { Replayed } from "./recover/replay.js";

/** Past these nothing more is said of the same damage by this replica. */
const DAMAGES_MAX = 1_000;
const VOLUME_REASONS: Readonly<Record<string, string>> = {
  VOLUME_FULL: "The volume is full: changes are refused.",
  VOLUME_READ_ONLY: "The volume is read-only: changes are refused.",
  VOLUME_UNAVAILABLE: "The volume answers with errors.",
};

/**
 * Makes incidents of what the parts of a replica say anyway: stages to their observer, failed calls, replay, rebuild. So
 * no stage knows of incidents. Nothing here waits or throws.
 */
export class Notices {
  private readonly damages = new Set<string>();
  /** Changes that were stopped because the replica drains. */
  aborted = 0;
  /** Whether all operations that have ended are ended for certain, so that nobody has to settle anything of them. */
  settled = true;

  readonly incidents: Incidents;

  constructor(ledger: Ledger, limits: IncidentLimits, onError: (incident: string, error: unknown) => void) {
    this.incidents = new Incidents(ledger, limits, onError);
  }

  /** `inner`, looked at. */
  observer(inner: Observer): Observer {
    return {
      stage: async (stage, operation, call) => {
        try {
          const ticket = await inner.stage(stage, operation, call);
          if (stage === "lock") this.incidents.close("lock");
          if (stage === "commit" || stage === "recover") this.committed(operation, recordIn(ticket));
          return ticket;
        } catch (error) {
          this.stageFailed(stage, operation, error);
          throw error;
        }
      },
    };
  }

  /** A failed call, or a failure that no call met. */
  failed(error: unknown, traceId = "", subject = ""): void {
    const failure = error instanceof SafeOperationError ? error : volumeError(error);
    if (!failure) return;
    const { path = "", revision = "0", where = "" } = failure.metadata;
    const volume = VOLUME_REASONS[failure.reason];
    if (volume) this.incidents.open(failure.reason, { kind: "VOLUME", message: volume, traceId });
    if (failure.reason === "LOCK_UNAVAILABLE")
      this.incidents.open("lock", { kind: "INDEX", message: "No majority of the lock servers answers.", traceId });
    if (failure.reason !== "REVISION_CORRUPT") return;
    const key = `${path}@${revision} ${where}`;
    if (this.damages.has(key) || this.damages.size >= DAMAGES_MAX) return;
    this.damages.add(key);
    const about = { path, revision: Number(revision) || 0, traceId, subject, resolveTimeMs: undefined };
    this.incidents.report({ kind: "CORRUPTION", message: failure.message, ...about }, key);
  }

  /** The replica is about to leave; survivors will record its death in any case. */
  durabilityLost(): Promise<void> {
    const message = "A write to the volume could not be made durable; the replica left at once.";
    this.incidents.report({ kind: "DURABILITY", message }, "durability");
    return this.incidents.settled();
  }

  replayed({ paths, republished, leftOut }: Replayed): void {
    const message = `Replayed after a restart of the host: ${paths} paths looked at, ${republished} files published again, ${leftOut} changes left out that were never acknowledged.`;
    this.incidents.report({ kind: "REPLAY", message });
  }

  rebuilt({ paths, records }: Rebuilt): void {
    if (records === 0) return; // a new volume has no index yet
    const message = `Redis had lost its memory; the index of ${paths} paths was rebuilt from the volume.`;
    this.incidents.report({ kind: "INDEX", message });
  }

  /** Resolves once it is recorded, or cannot be. */
  async lockBroken({ line, record, outcome, reason }: Broken, traceId: string): Promise<void> {
    const { id, targets, owner } = line.entry;
    const whose = owner.isClientLock ? owner.name || "a client" : `operation ${owner.operation}`;
    const [first] = targets;
    const more = targets.length > 1 ? ` and ${targets.length - 1} more` : "";
    const message = `The lock ${id} of ${whose} on ${first?.path || "/"}${more} was broken: ${reason}`;
    const about = { subject: owner.incarnation, operation: owner.operation, path: first?.path ?? "", traceId };
    const token = record?.tokens[0] ?? 0;
    await this.incidents.record({
      ...{ kind: "LOCK_BROKEN", message: token > 0 ? `${message} (fencing token ${token})` : message, ...about },
      ...(outcome && { outcome }),
    });
  }

  indexAway(): void {
    this.incidents.open("index", { kind: "INDEX", message: "The Redis that holds the index does not answer." });
  }

  indexAnswers(): void {
    this.incidents.close("index");
  }

  /** Nothing can be recorded on it before it answers again. */
  volumeSilent(): void {
    this.incidents.open("silent", { kind: "VOLUME", message: "The volume did not answer: calls were refused." }, false);
  }

  volumeAnswers(): void {
    this.incidents.close("silent");
  }

  private stageFailed(stage: StageName, operation: Operation, error: unknown): void {
    // What fails in between is said again by recover.
    if (stage !== "lock" && stage !== "recover") return;
    if (!(error instanceof SafeOperationError)) {
      this.settled &&= error instanceof Error && error.name === "EarlierOutcome";
      return;
    }
    if (error.outcome === "UNKNOWN" || error.reason === "INTERNAL") this.settled = false;
    if (error.reason === "REPLICA_DRAINING") this.aborted += 1;
    this.failed(error, operation.traceId);
    if (error.reason !== "LOCK_FENCED") return;
    const path = operation.intents[0]?.path ?? "";
    const about = { operation: operation.id, path, outcome: "NOT_COMMITTED" as const, traceId: operation.traceId };
    this.incidents.report({ kind: "OPERATION_FENCED", message: error.message, ...about }, operation.id);
  }

  private committed(operation: Operation, record: OperationRecord | undefined): void {
    for (const reason of Object.keys(VOLUME_REASONS)) this.incidents.close(reason);
    if (record?.operation !== operation.id) return;
    for (const { path, external, revision } of record.changes) {
      if (!external) continue;
      const what = external.deleted ? "removed" : "changed";
      this.incidents.report({
        kind: "EXTERNAL_CHANGE",
        message: `${path} had been ${what} from outside; that is kept as its revision ${revision - 1}.`,
        ...{ path, revision: revision - 1, operation: operation.id, outcome: "COMMITTED", traceId: operation.traceId },
      });
    }
  }
}

/** A receipt carries the record; other tickets do not. */
function recordIn(ticket: unknown): OperationRecord | undefined {
  if (typeof ticket !== "object" || ticket === null || !("record" in ticket)) return undefined;
  return ticket.record as OperationRecord | undefined;
}
