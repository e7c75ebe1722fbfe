import { LockEndedError } from "../../errors/index.js";
import { isOperationId, type LeaseId, type OperationId } from "../../model/operation.js";
import type { FilePath } from "../../model/path.js";
import type { Settled } from "../../protocol/settle.js";
import type { Entry } from "../entry.js";
import type { Leases } from "../leases.js";
import { tuplesOf } from "../server.js";
import { type Broken, fromBrokenText, toBrokenText } from "./broken.js";
import { pathOf } from "./client-locks.js";
import type { Fence } from "./fence.js";
import type { LockRecords } from "./records.js";
import { askAll, everyone } from "./seen.js";

/** Ends locks and leases of others, and what is done under them. */
export class Breaking {
  constructor(
    private readonly leases: Leases,
    private readonly records: LockRecords,
    private readonly fence: Fence,
  ) {}

  /**
   * Breaks what `id` holds. First nothing new can be done under it, then the lock servers forget it, then what is under
   * way is stopped or finished. Repeated with the same `requestId`, it returns what the first call did. Throws LOCK_LOST
   * when it had ended already.
   */
  async break(id: LeaseId, reason: string, requestId: string): Promise<Broken & { isRepeated: boolean }> {
    const lines = await everyone(this.leases.quorum);
    const line = lines.find(({ entry, state }) => entry.id === id && state === "holding");
    if (!line) return { ...(await this.earlier(id, requestId)), isRepeated: true };
    const record = await this.records.recordOf(id);
    await this.records.remove([id]);
    const users = lines.filter(({ entry, state }) => entry.under === id && state === "holding");
    const entries = [line, ...users].map(({ entry }) => entry);
    // The reason travels with the message that tells watchers of it.
    for (const entry of entries) await this.forget(entry, `breaks.${Buffer.from(reason).toString("base64url")}`);
    const stopped = await this.stop(entries);
    const broken = { line, record, outcome: outcomeOf([...stopped.values()]), requestId, reason };
    await this.records.mark(id, toBrokenText(broken)).catch(() => undefined); // a repeated call then says LOCK_LOST
    return { ...broken, isRepeated: false };
  }

  private async forget({ id, targets }: Entry, why: string): Promise<void> {
    await askAll(this.leases.quorum, pathOf(targets), "release", id, why, JSON.stringify(tuplesOf(targets)));
  }

  /** Stops those who hold, by what they have staged, then whoever has a baton of what they cover. */
  private async stop(entries: readonly Entry[]): Promise<ReadonlyMap<OperationId, Settled>> {
    const stopped = new Map<OperationId, Settled>();
    for (const { owner, targets } of entries) {
      const { operation } = owner;
      if (!isOperationId(operation)) continue;
      const settled = await this.fence.stop(operation, pathOf(targets) as FilePath);
      if (settled) stopped.set(operation, settled);
    }
    const targets = entries.flatMap((entry) => entry.targets).filter(({ mode }) => mode === "exclusive");
    const raised = await this.fence.raise([...new Set(targets.map(({ path }) => path))]);
    return new Map([...raised.stopped, ...stopped]);
  }

  private async earlier(id: LeaseId, requestId: string): Promise<Broken> {
    const text = await this.records.marked(id);
    const broken = text === undefined ? undefined : fromBrokenText(id, text);
    if (broken?.requestId !== requestId) throw new LockEndedError({ lockId: id });
    return broken;
  }
}

/** One that was stopped says more than those that were done. */
function outcomeOf(settled: readonly Settled[]): Broken["outcome"] {
  if (settled.length === 0) return undefined;
  return settled.every((each) => each === "COMMITTED") ? "COMMITTED" : "NOT_COMMITTED";
}
