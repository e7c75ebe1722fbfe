import type { LeaseId } from "../model/operation.js";
import type { FilePath } from "../model/path.js";
import type { Target } from "./target.js";

/**
 * Who holds or waits, for people and for the wait graph; kept in Redis, so without secrets (I15).
 * `party` names those who hold and wait as one: what one of them holds is kept while another waits. Empty when nothing is
 * held while it waits, as with every operation that locks for itself.
 */
export interface Owner {
  readonly party: string;
  readonly name: string;
  readonly incarnation: string;
  /** Empty for a client's lock. */
  readonly operation: string;
  readonly traceId: string;
  /** The span that waits or holds, for links; 16 hex digits or empty. */
  readonly spanId: string;
  /** True for a lock of LockService. */
  readonly isClientLock: boolean;
  readonly priority: number;
  /** When it began to wait or, later, to hold; milliseconds since 1970 by the replica's clock, for people. */
  readonly sinceMs: number;
}

/** One request in the book of a lock server: it holds all its targets or waits for all of them. */
export interface Entry {
  readonly id: LeaseId;
  readonly targets: readonly Target[];
  /**
   * Whose turn it is first, of those who wait: the lowest. Microseconds of the lock servers' clock when it arrived, less
   * what its priority is worth. So who waits is overtaken only by those who come soon after it, whatever their priority:
   * nobody starves, and the order never changes while they wait.
   */
  readonly rank: number;
  /** Holds these already, through another entry: that one is no obstacle, and nobody who waits goes before it. */
  readonly under: LeaseId | "";
  readonly owner: Owner;
}

export type State = "holding" | "waiting";

/** The path of an entry that is for one path alone, exclusively, and for nobody in particular. */
export function soloPath({ targets, under, owner }: Entry): FilePath | undefined {
  const [only] = targets;
  if (!only || targets.length > 1 || under !== "" || owner.party !== "") return undefined;
  return only.scope === "path" && only.mode === "exclusive" ? (only.path as FilePath) : undefined;
}
