import type { Standing } from "../model/operation-request.js";
import type { FilePath } from "../model/path.js";
import type { Entry } from "./entry.js";
import type { Leases } from "./leases.js";
import { subtreeTarget } from "./target.js";

export interface ClaimRequest {
  readonly waitMs: number;
  readonly priority: number;
  readonly traceId: string;
  readonly signal: AbortSignal;
  /** A client's lock that is no obstacle, and must last. */
  readonly lock?: Pick<Entry, "id" | "owner"> | undefined;
}

/** Whole trees that are held for one who changes them by operations of its own; given back when disposed of. */
export type Claim = Standing & Disposable;

/** Waits until nobody else changes anything in `trees`. Throws as Leases.acquire. */
export async function claimTrees(
  leases: Leases,
  trees: readonly (FilePath | "")[],
  { waitMs, priority, traceId, signal, lock }: ClaimRequest,
): Promise<Claim> {
  const { party = "", name = "" } = lock?.owner ?? {};
  const owner = { party, name, operation: "", traceId, spanId: "", isClientLock: false, priority };
  const hold = await leases.acquire({
    targets: trees.map(subtreeTarget),
    path: trees[0] || "/",
    waitMs,
    signal,
    owner,
    under: lock?.id ?? "",
  });
  return { lost: hold.lost, assertHeld: () => hold.assertHeld(), [Symbol.dispose]: () => hold.release() };
}
