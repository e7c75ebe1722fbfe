import type { LeaseId } from "../model/operation.js";
import { Blockers, type Blocking } from "./blockers.js";
import type { Owner } from "./entry.js";
import { circlesOf, compare } from "./knot.js";
import type { Line } from "./server.js";
import type { Target } from "./target.js";

/** Those who hold and wait as one. */
export interface Party {
  /** `owner.party`; else that of the entry that it acts under, or its own entry. */
  readonly id: string;
  /** Of its earliest entry. */
  readonly owner: Owner;
  /** The highest of its entries. */
  readonly priority: number;
  /** When its earliest entry began; milliseconds since 1970. */
  readonly sinceMs: number;
}

/** One party waits for another. */
export interface Edge {
  readonly waiter: string;
  readonly holder: string;
  /** The request that waits. */
  readonly entry: LeaseId;
  /** What it wants, of that which is in the way. */
  readonly target: Target;
  /** Whether it is held, not waited for by somebody who comes first. */
  readonly isHeld: boolean;
  /** When the request began. */
  readonly sinceMs: number;
}

/** A circle of waits: nobody in it ever goes on, unless somebody gives way. */
export interface Circle {
  /** Each waits for the next, and the last for the first. Begins with the smallest id. */
  readonly parties: readonly string[];
  /** Why: one for each of `parties`. */
  readonly waits: readonly Edge[];
  /** Who gives way: the youngest of the lowest priority, or whoever breaks this circle by giving way in another one. */
  readonly victim: string;
  /** The requests of the victim that keep the circle closed. */
  readonly entries: readonly LeaseId[];
}

export interface WaitGraph {
  /** Everyone who waits or is waited for, by id. */
  readonly parties: readonly Party[];
  /**
   * To each party that holds what conflicts, and to those next in line before it: of those who wait further ahead,
   * only such as it does not reach through these.
   */
  readonly edges: readonly Edge[];
  /**
   * Every party that is in some circle, in which somebody holds something, is in one of these. When the victims give way,
   * no circle is left.
   */
  readonly circles: readonly Circle[];
}

/**
 * Who waits for whom, by the rule of the lock servers. The same for the same lines, in whatever order. A party that
 * waits for itself is no circle: another of its callers may well go on and release what it holds.
 */
export function waitGraph(lines: readonly Line[]): WaitGraph {
  const partyOf = partiesOf(lines);
  const sorted = lines.toSorted((left, right) => compare(left.entry.id, right.entry.id));
  const parties = new Map<string, Party>();
  for (const { entry } of sorted) {
    const id = partyOf(entry.id);
    const known = parties.get(id);
    const { owner } = entry;
    const isEarlier = !known || owner.sinceMs < known.sinceMs;
    parties.set(id, {
      id,
      owner: isEarlier ? owner : known.owner,
      priority: Math.max(owner.priority, known?.priority ?? Number.NEGATIVE_INFINITY),
      sinceMs: isEarlier ? owner.sinceMs : known.sinceMs,
    });
  }
  const edges = edgesOf(sorted, partyOf, "nearest").sort(byEnds);
  const linesOf = new Map<string, Line[]>();
  for (const knot of knotsOf(edges)) {
    const inside: Line[] = [];
    for (const id of knot) linesOf.set(id, inside);
  }
  for (const line of sorted) linesOf.get(partyOf(line.entry.id))?.push(line);
  // In a knot all waits count: a circle that is longer than need be would find a victim that helps nobody.
  const circles = [...new Set(linesOf.values())].flatMap((inside) =>
    circlesOf(edgesOf(inside, partyOf, "all"), parties),
  );
  const seen = new Set(edges.flatMap(({ waiter, holder }) => [waiter, holder]));
  const shown = [...parties.values()].filter(({ id }) => seen.has(id));
  return { parties: shown.sort((left, right) => compare(left.id, right.id)), edges, circles };
}

/** Whose an entry is. What acts under an entry without party belongs to that one: it is not released before this ends. */
function partiesOf(lines: readonly Line[]): (id: LeaseId) => string {
  const byId = new Map(lines.map(({ entry }) => [entry.id, entry]));
  return (id) => {
    let entry = byId.get(id);
    for (let depth = 0; entry && entry.owner.party === "" && entry.under !== "" && depth < UNDER_MAX; depth++) {
      const over = byId.get(entry.under);
      if (!over) return entry.under;
      entry = over;
    }
    return entry?.owner.party || (entry?.id ?? id);
  };
}

/** Something acts under a lock or a job's lease, and those under nothing. */
const UNDER_MAX = 4;

function edgesOf(lines: readonly Line[], partyOf: (id: LeaseId) => string, which: "nearest" | "all"): Edge[] {
  const blockers = new Blockers(lines);
  const edges: Edge[] = [];
  for (const { entry, state } of lines) {
    if (state !== "waiting") continue;
    const waiter = partyOf(entry.id);
    const found = new Map<string, Blocking>();
    for (const blocking of blockers.of(entry, which)) {
      const holder = partyOf(blocking.entry.id);
      const known = found.get(holder);
      if (holder !== waiter && (!known || (blocking.isHeld && !known.isHeld))) found.set(holder, blocking);
    }
    for (const [holder, { target, isHeld }] of found)
      edges.push({ waiter, holder, entry: entry.id, target, isHeld, sinceMs: entry.owner.sinceMs });
  }
  return edges;
}

const byEnds = (left: Edge, right: Edge): number =>
  compare(left.waiter, right.waiter) || compare(left.holder, right.holder) || compare(left.entry, right.entry);

/** The strongly connected parts of more than one party (Tarjan, without recursion: queues may be long). */
function knotsOf(edges: readonly Edge[]): Set<string>[] {
  const next = new Map<string, string[]>();
  for (const { waiter, holder } of edges) {
    const known = next.get(waiter);
    if (known) known.push(holder);
    else next.set(waiter, [holder]);
  }
  const order = new Map<string, number>();
  const low = new Map<string, number>();
  const open: string[] = [];
  const isOpen = new Set<string>();
  const knots: Set<string>[] = [];
  for (const root of next.keys()) {
    if (order.has(root)) continue;
    const path = [{ id: root, at: 0 }];
    while (path.length > 0) {
      const step = path[path.length - 1] as { id: string; at: number };
      const { id } = step;
      if (step.at === 0 && !order.has(id)) {
        order.set(id, order.size);
        low.set(id, order.get(id) as number);
        open.push(id);
        isOpen.add(id);
      }
      const child = next.get(id)?.[step.at];
      step.at += 1;
      if (child !== undefined) {
        if (!order.has(child)) path.push({ id: child, at: 0 });
        else if (isOpen.has(child)) low.set(id, Math.min(low.get(id) as number, order.get(child) as number));
        continue;
      }
      path.pop();
      const parent = path.at(-1)?.id;
      if (parent !== undefined) low.set(parent, Math.min(low.get(parent) as number, low.get(id) as number));
      if (low.get(id) !== order.get(id)) continue;
      const knot = new Set(open.splice(open.indexOf(id)));
      for (const each of knot) isOpen.delete(each);
      if (knot.size > 1) knots.push(knot);
    }
  }
  return knots;
}
