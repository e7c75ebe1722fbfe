import type { Entry } from "../../services/lock/entry.js";
import type { LeaseId } from "../../services/model/operation.js";
import { type Listed, LockTable } from "./table.js";

/** One party waits for another, by one request. */
export interface Wait {
  readonly entry: LeaseId;
  readonly from: string;
  readonly to: string;
  readonly isHeld: boolean;
}

/** Who waits for whom, by the rule of the table and in the plainest way. */
export function waitsOf(lines: readonly Listed[]): Wait[] {
  const table = new LockTable();
  for (const { entry, state } of lines) table.put(entry, state);
  const partyOf = ({ owner, under, id }: Entry): string => {
    const over = under === "" ? undefined : table.get(under);
    return owner.party || (over ? partyOf(over.entry) : under || id);
  };
  return lines
    .filter(({ state }) => state === "waiting")
    .flatMap(({ entry }) =>
      [...table.blockers(entry)].map((blocker) => ({
        entry: entry.id,
        from: partyOf(entry),
        to: partyOf(blocker.entry),
        isHeld: blocker.state === "holding",
      })),
    )
    .filter(({ from, to }) => from !== to);
}

/** Whom `from` waits for in the end. */
export function reach(waits: readonly Pick<Wait, "from" | "to">[], from: string): Set<string> {
  const seen = new Set<string>();
  const queue = [from];
  for (const id of queue)
    for (const wait of waits)
      if (wait.from === id && !seen.has(wait.to)) {
        seen.add(wait.to);
        queue.push(wait.to);
      }
  return seen;
}

/** The waits that are in a circle in which somebody holds something. */
export function stuck(waits: readonly Wait[]): Wait[] {
  const reached = new Map([...new Set(waits.map(({ from }) => from))].map((id) => [id, reach(waits, id)]));
  const isAround = ({ from, to }: Wait): boolean => reached.get(to)?.has(from) ?? false;
  const held = waits.filter((wait) => wait.isHeld && isAround(wait));
  return waits.filter((wait) => isAround(wait) && held.some(({ from }) => reached.get(wait.to)?.has(from)));
}
