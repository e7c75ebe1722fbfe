import type { LeaseId } from "../model/operation.js";
import type { Circle, Edge, Party } from "./graph.js";

/** By who waits, then by whom it waits for: why. */
type Waits = Map<string, Map<string, Edge[]>>;

/**
 * The circles of a knot, a part of the graph in which everybody reaches everybody. The shortest are broken first, each by
 * its victim, until none is left, so that nobody gives way in vain. Then come circles for those who are in none of these.
 * Somebody in a circle holds what another one waits for: parties that only wait may still go on one by one.
 */
export function circlesOf(edges: readonly Edge[], parties: ReadonlyMap<string, Party>): Circle[] {
  const all = waitsOf(edges);
  const left = waitsOf(edges);
  const keepers = [...new Set(edges.filter(({ isHeld }) => isHeld).map(({ holder }) => holder))].sort();
  const circles: Circle[] = [];
  const covered = new Set<string>();
  const add = (around: readonly string[], victim: string): void => {
    const entries = [...new Set(reasons(all, around, around.indexOf(victim)).map(({ entry }) => entry))];
    const waits = around.map((_, at) => reasons(all, around, at).toSorted(heldFirst)[0] as Edge);
    circles.push({ parties: around, waits, victim, entries });
    for (const id of around) covered.add(id);
    giveUp(left, victim, new Set(entries));
  };
  for (;;) {
    const found = new Map<string, string[]>();
    for (const from of keepers) {
      const around = shortest(left, from);
      if (around) found.set(around.join("\n"), around);
    }
    if (found.size === 0) break;
    const sorted = [...found].sort(([one, left], [other, right]) => left.length - right.length || compare(one, other));
    for (const [, around] of sorted) if (isClosed(left, around)) add(around, victimOf(around, parties));
  }
  for (const around of rest(all, keepers, covered)) {
    const victim = around.find((id, at) => !left.get(id)?.has(next(around, at)));
    if (victim !== undefined && around.some((_, at) => isHeld(reasons(all, around, at)))) add(around, victim);
  }
  return circles;
}

function waitsOf(edges: readonly Edge[]): Waits {
  const waits: Waits = new Map();
  for (const edge of edges) {
    const to = waits.get(edge.waiter) ?? new Map<string, Edge[]>();
    waits.set(edge.waiter, to);
    const why = to.get(edge.holder);
    if (why) why.push(edge);
    else to.set(edge.holder, [edge]);
  }
  return waits;
}

const next = (around: readonly string[], at: number): string => around[(at + 1) % around.length] as string;

/** Why the one at `at` waits for the next. */
const reasons = (waits: Waits, around: readonly string[], at: number): readonly Edge[] =>
  waits.get(around[at] as string)?.get(next(around, at)) ?? [];

const isHeld = (why: readonly Edge[]): boolean => why.some((edge) => edge.isHeld);
const heldFirst = (left: Edge, right: Edge): number => Number(right.isHeld) - Number(left.isHeld);

function giveUp(waits: Waits, victim: string, entries: ReadonlySet<LeaseId>): void {
  const to = waits.get(victim);
  for (const [holder, why] of to ?? []) {
    const rest = why.filter(({ entry }) => !entries.has(entry));
    if (rest.length === 0) to?.delete(holder);
    else to?.set(holder, rest);
  }
}

const isClosed = (waits: Waits, around: readonly string[]): boolean =>
  around.every((id, at) => waits.get(id)?.has(next(around, at)));

/** The youngest of the lowest priority. */
function victimOf(around: readonly string[], parties: ReadonlyMap<string, Party>): string {
  const [first] = around
    .map((id) => parties.get(id) as Party)
    .sort(
      (left, right) => left.priority - right.priority || right.sinceMs - left.sinceMs || compare(right.id, left.id),
    );
  return (first as Party).id;
}

/** From the smallest id on. */
function rotated(around: readonly string[]): string[] {
  let from = 0;
  for (const [at, id] of around.entries()) if (id < (around[from] as string)) from = at;
  return [...around.slice(from), ...around.slice(0, from)];
}

/** A shortest circle in which somebody waits for what `from` holds, if there is one. */
function shortest(waits: Waits, from: string): string[] | undefined {
  const before = wayFrom(waits, from, from);
  return before.has(from) ? rotated(wayTo(before, from, from)) : undefined;
}

/** By whom each is reached first from `from`, up to `until`; `from` itself, by somebody who waits for what it holds. */
function wayFrom(waits: Waits, from: string, until?: string): Map<string, string> {
  const before = new Map<string, string>();
  const queue = [from];
  for (const id of queue)
    for (const [next, why] of waits.get(id) ?? []) {
      if (before.has(next) || (next === from && !isHeld(why))) continue;
      before.set(next, id);
      if (next === until) return before;
      queue.push(next);
    }
  return before;
}

/** From `from`, and without `to`. */
function wayTo(before: ReadonlyMap<string, string>, from: string, to: string): string[] {
  const way: string[] = [];
  let id = to;
  do {
    id = before.get(id) as string;
    way.push(id);
  } while (id !== from);
  return way.reverse();
}

/** A circle for each who is in none yet: over what it waits for, or else by way of one of `keepers`. */
function* rest(waits: Waits, keepers: readonly string[], covered: ReadonlySet<string>): Generator<string[]> {
  const ways = new Map<string, ReadonlyMap<string, string>>();
  const wayOf = (keeper: string): ReadonlyMap<string, string> => {
    const way = ways.get(keeper) ?? wayFrom(waits, keeper);
    ways.set(keeper, way);
    return way;
  };
  for (const keeper of keepers) {
    const around = covered.has(keeper) ? undefined : shortest(waits, keeper);
    if (around) yield around;
  }
  for (const [id, to] of [...waits].sort(([left], [right]) => compare(left, right))) {
    if (covered.has(id)) continue;
    const [direct] = [...to].filter(([, why]) => isHeld(why));
    if (direct) yield rotated([...wayTo(wayOf(direct[0]), direct[0], id), id]);
    else if (keepers[0] !== undefined) yield rotated(through(waits, wayOf(keepers[0]), keepers[0], id));
  }
}

/** A circle that comes by `id`, on its way to `hub` and back by `way`. */
function through(waits: Waits, way: ReadonlyMap<string, string>, hub: string, id: string): string[] {
  const there = [...wayTo(wayFrom(waits, id, hub), id, hub), hub];
  const back = wayTo(way, hub, id);
  // The way back may cross the way there: then it is left where it is crossed last.
  const at = back.findLastIndex((each) => there.includes(each));
  return [...there.slice(0, there.indexOf(back[at] as string)), ...back.slice(at)];
}

export const compare = (left: string, right: string): number => (left < right ? -1 : left > right ? 1 : 0);
