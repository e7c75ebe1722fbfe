import { NO_OPERATION, type OperationId } from "../model/operation.js";
import type { FilePath } from "../model/path.js";

/** What the history needs of one durable record. */
export interface Recorded {
  readonly operation: OperationId;
  readonly changes: readonly {
    readonly path: FilePath;
    readonly epoch: number;
    readonly baseOperation: OperationId;
  }[];
}

export interface PathHistory {
  /** The committed operations, oldest first. */
  readonly chain: readonly OperationId[];
  /** The highest epoch of any record, also of those left out. */
  readonly epoch: number;
}

export interface History {
  readonly paths: ReadonlyMap<FilePath, PathHistory>;
  /** Records that are part of no history and have no abort yet: they need one, so that nothing brings them back. */
  readonly leftOut: readonly OperationId[];
}

/** The journals contradict each other: a record was lost or damaged. */
export class HistoryError extends Error {}

interface Step {
  readonly operation: OperationId;
  readonly epoch: number;
  readonly base: OperationId;
}

/**
 * Tells from the journals alone what is committed, for when names may have gone back in time. A record is committed
 * unless an abort of it is durable in any journal, or a record of a later epoch on any of its paths has a base that
 * leaves it out: its writer had settled all before it (commit-protocol.md, "After a power cut").
 */
export function historyOf(records: readonly Recorded[], aborted: ReadonlySet<OperationId>): History {
  const steps = new Map<FilePath, Step[]>();
  for (const { operation, changes } of records) {
    for (const { path, epoch, baseOperation } of changes) {
      const list = steps.get(path) ?? [];
      list.push({ operation, epoch, base: baseOperation });
      steps.set(path, list);
    }
  }
  const out = new Set<OperationId>(aborted);
  for (const list of steps.values()) for (const operation of leftOutOf(list)) out.add(operation);
  const paths = new Map<FilePath, PathHistory>();
  for (const [path, list] of steps) paths.set(path, { chain: chainOf(path, list, out), epoch: highest(list) });
  const leftOut = records.map(({ operation }) => operation).filter((each) => out.has(each) && !aborted.has(each));
  return { paths, leftOut };
}

const highest = (list: readonly Step[]): number => list.reduce((most, { epoch }) => Math.max(most, epoch), 0);

/** The operations that a later record on the same path is not built on. */
function leftOutOf(list: Step[]): OperationId[] {
  const byOperation = new Map(list.map((step) => [step.operation, step]));
  const out: OperationId[] = [];
  // From the newest down: `allowed` are those that all later records are built on.
  let allowed: Set<OperationId> | undefined;
  for (const step of list.toSorted((left, right) => right.epoch - left.epoch)) {
    if (allowed && !allowed.has(step.operation)) out.push(step.operation);
    // Nothing to learn from a step that is allowed: those above are built on it, and so on what it is built on.
    else if (allowed) continue;
    const ancestors = new Set<OperationId>();
    for (let at = byOperation.get(step.base); at && !ancestors.has(at.operation); at = byOperation.get(at.base))
      ancestors.add(at.operation);
    allowed = allowed ? intersection(allowed, ancestors, step.epoch, byOperation) : ancestors;
  }
  return out;
}

/** Below `epoch`, only what both know; from there on, what was allowed. */
function intersection(
  allowed: Set<OperationId>,
  ancestors: Set<OperationId>,
  epoch: number,
  byOperation: ReadonlyMap<OperationId, Step>,
): Set<OperationId> {
  const isAbove = (operation: OperationId) => (byOperation.get(operation)?.epoch ?? 0) > epoch;
  return new Set([...allowed].filter((operation) => isAbove(operation) || ancestors.has(operation)));
}

function chainOf(path: FilePath, list: Step[], out: ReadonlySet<OperationId>): OperationId[] {
  const chain: OperationId[] = [];
  for (const step of list.toSorted((left, right) => left.epoch - right.epoch)) {
    if (out.has(step.operation)) continue;
    if (step.base !== (chain.at(-1) ?? NO_OPERATION))
      throw new HistoryError(
        `${step.operation} on ${path} is built on ${step.base}, but ${chain.at(-1)} came before it`,
      );
    chain.push(step.operation);
  }
  return chain;
}
