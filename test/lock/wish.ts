import type { LeaseHold, LeaseRequest } from "../../services/lock/leases.js";
import { pathTarget, type Target } from "../../services/lock/target.js";
import type { LeaseId } from "../../services/model/operation.js";
import type { FilePath } from "../../services/model/path.js";

const NEVER = new AbortController().signal;

/** What to ask for, for whom it does not matter. */
export function wish(
  what: string | readonly Target[],
  more: Partial<LeaseRequest> & { priority?: number; party?: string } = {},
): LeaseRequest {
  const { priority = 0, party = "", ...rest } = more;
  const owner = { party, name: "", operation: "", traceId: "", spanId: "", isClientLock: false, priority };
  const targets = typeof what === "string" ? [pathTarget(what as FilePath)] : what;
  return { targets, path: targets[0]?.path ?? "", waitMs: 30_000, signal: NEVER, owner, ...rest };
}

/** A lease that was won at once and is never lost. */
export const freeHold = (): LeaseHold => ({
  id: "" as LeaseId,
  entry: {} as LeaseHold["entry"],
  lost: NEVER,
  assertHeld: () => undefined,
  waitedMs: 0,
  hasWaited: false,
  waitedFor: undefined,
  isKept: false,
  lastOperation: undefined,
  release: () => undefined,
  leave: async () => undefined,
});
