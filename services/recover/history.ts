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
  /** Known to be committed, and read only for what it says of others: a checkpoint vouches for it. */
  readonly isSettled?: boolean;
}

/**
 * What a baton says of its path, wherever it went back to in time: when it had that name, all records of an epoch
 * below `epoch` were settled, and `last` was the newest committed of them.
 */
export interface Witness {
  readonly epoch: number;
  readonly last: OperationId;
}

/** What is known besides the records that were read. */
export interface Known {
  readonly witnesses: ReadonlyMap<FilePath, Witness>;
  /** Whether the record of `operation` may lie before a checkpoint, where nothing was read. */
  isUnread(operation: OperationId): boolean;
}

const NOTHING_MORE: Known = { witnesses: new Map(), isUnread: () => false };

export interface PathHistory {
  /** The committed operations that were read, oldest first. */
  readonly chain: readonly OperationId[];
  /** The newest committed operation; one that was not read when all that was read came to nothing. */
  readonly head: OperationId;
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

/** Between the epochs below a witness's and its own: there are only whole ones. */
const WITNESS_BEFORE = 0.5;

interface Step {
  readonly operation: OperationId;
  readonly epoch: number;
  readonly base: OperationId;
}

/**
 * Tells what is committed, for when names may have gone back in time. A record is committed unless an abort of it is
 * durable in any journal, or a record of a later epoch on any of its paths has a base that leaves it out: its writer had
 * settled all before it (commit-protocol.md, "After a power cut"). A baton that is left from any time says the same as
 * a record of its owner would.
 */
export function historyOf(
  records: readonly Recorded[],
  aborted: ReadonlySet<OperationId>,
  known: Known = NOTHING_MORE,
): History {
  const steps = new Map<FilePath, Step[]>();
  for (const { operation, changes } of records) {
    for (const { path, epoch, baseOperation } of changes) {
      const list = steps.get(path) ?? [];
      list.push({ operation, epoch, base: baseOperation });
      steps.set(path, list);
    }
  }
  const out = new Set<OperationId>(aborted);
  for (const [path, list] of steps)
    for (const operation of leftOutOf(list, known.witnesses.get(path))) out.add(operation);
  for (const { operation, isSettled } of records)
    if (isSettled && out.has(operation))
      throw new HistoryError(
        `${operation} was settled as committed, but it was aborted or a later record leaves it out`,
      );
  const paths = new Map<FilePath, PathHistory>();
  for (const [path, list] of steps) {
    const chain = chainOf(path, list, out, known);
    paths.set(path, { chain, head: chain.at(-1) ?? oldest(list).base, epoch: highest(list) });
  }
  const leftOut = records.map(({ operation }) => operation).filter((each) => out.has(each) && !aborted.has(each));
  return { paths, leftOut };
}

const highest = (list: readonly Step[]): number => list.reduce((most, { epoch }) => Math.max(most, epoch), 0);

/** Built on what was committed when it took the baton; below it nothing else was read. */
const oldest = (list: readonly Step[]): Step => list.reduce((left, right) => (right.epoch < left.epoch ? right : left));

/** The operations that a later record on the same path is not built on. */
function leftOutOf(list: Step[], witness: Witness | undefined): OperationId[] {
  const byOperation = new Map(list.map((step) => [step.operation, step]));
  const all = witness
    ? [...list, { operation: NO_OPERATION, epoch: witness.epoch - WITNESS_BEFORE, base: witness.last }]
    : list;
  const out: OperationId[] = [];
  // From the newest down: `allowed` are those that all later records are built on.
  let allowed: Set<OperationId> | undefined;
  for (const step of all.toSorted((left, right) => right.epoch - left.epoch)) {
    const isWitness = step.operation === NO_OPERATION;
    if (allowed && !allowed.has(step.operation) && !isWitness) out.push(step.operation);
    // Nothing to learn from a step that is allowed: those above are built on it, and so on what it is built on.
    else if (allowed && !isWitness) continue;
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
  // All that is allowed was found there.
  const isAbove = (operation: OperationId) => (byOperation.get(operation) as Step).epoch > epoch;
  return new Set([...allowed].filter((operation) => isAbove(operation) || ancestors.has(operation)));
}

function chainOf(path: FilePath, list: Step[], out: ReadonlySet<OperationId>, known: Known): OperationId[] {
  const chain: OperationId[] = [];
  for (const step of list.toSorted((left, right) => left.epoch - right.epoch)) {
    if (out.has(step.operation)) continue;
    // The oldest that was read may be built on one that a checkpoint made it unnecessary to read.
    const isOn =
      chain.length > 0 ? step.base === chain.at(-1) : step.base === NO_OPERATION || known.isUnread(step.base);
    if (!isOn)
      throw new HistoryError(
        `${step.operation} on ${path} is built on ${step.base}, but ${chain.at(-1)} came before it`,
      );
    chain.push(step.operation);
  }
  return chain;
}
