import type { Line } from "../server.js";
import { conflict, type Target } from "../target.js";

/** Who holds, who waits for it, and what is done under it now. */
export interface Listed {
  readonly line: Line;
  /** In their order. */
  readonly waiters: readonly Line[];
  /** The operation that uses a client's lock; undefined when none does. */
  readonly operation: string | undefined;
}

/** All who hold, sorted by their first path, each with those who wait for it. */
export function listing(lines: readonly Line[]): Listed[] {
  const held = lines.filter(({ state }) => state === "holding");
  const byPath = new Map<string, Line[]>();
  for (const line of held)
    for (const { path } of line.entry.targets) byPath.set(path, [...(byPath.get(path) ?? []), line]);
  const waiters = new Map<Line, Set<Line>>();
  for (const line of lines) {
    if (line.state !== "waiting") continue;
    for (const holder of inTheWay(line, byPath)) waiters.set(holder, (waiters.get(holder) ?? new Set()).add(line));
  }
  const users = new Map(held.map(({ entry }) => [entry.under, entry.owner.operation]));
  return held.sort(byFirstPath).map((line) => ({
    line,
    waiters: [...(waiters.get(line) ?? [])].sort((left, right) => left.entry.rank - right.entry.rank),
    operation: users.get(line.entry.id),
  }));
}

/** By the path of the first target, then by id: an order that pages can rely on. */
export const placeOf = ({ entry }: Line): readonly [path: string, id: string] => [
  entry.targets[0]?.path ?? "",
  entry.id,
];

function byFirstPath(left: Line, right: Line): number {
  return comparePlaces(placeOf(left), placeOf(right));
}

export function comparePlaces(left: readonly [string, string], right: readonly [string, string]): number {
  const [leftText, rightText] = left[0] === right[0] ? [left[1], right[1]] : [left[0], right[0]];
  return leftText < rightText ? -1 : leftText > rightText ? 1 : 0;
}

/** Who holds what `waiter` waits for. Looks at the paths that can matter only: its own, those over it, those below a tree. */
function* inTheWay({ entry }: Line, byPath: ReadonlyMap<string, readonly Line[]>): Generator<Line> {
  for (const target of entry.targets)
    for (const path of near(target, byPath))
      for (const holder of byPath.get(path) ?? [])
        if (holder.entry.id !== entry.under && holder.entry.targets.some((theirs) => conflict(theirs, target)))
          yield holder;
}

function* near({ path, scope }: Target, byPath: ReadonlyMap<string, unknown>): Generator<string> {
  yield path;
  if (path !== "") yield "";
  for (let end = path.lastIndexOf("/"); end > 0; end = path.lastIndexOf("/", end - 1)) yield path.slice(0, end);
  if (scope !== "subtree") return;
  for (const other of byPath.keys()) if (path === "" ? other !== "" : other.startsWith(`${path}/`)) yield other;
}
