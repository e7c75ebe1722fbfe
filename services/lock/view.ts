import { LockUnavailableError } from "../errors/index.js";
import type { LeaseId } from "../model/operation.js";
import type { State } from "./entry.js";
import type { Quorum } from "./quorum.js";
import { type Line, type LockServer, parseLine } from "./server.js";

/** Paths asked for at once: a server answers nobody else meanwhile. */
const PAGE_PATHS = 200;
/** How long the others are waited for once a majority has answered: who waits or holds may be known to another majority. */
const OTHERS_MS = 400;

/** All that one server has in its book, in pages: what changes meanwhile may be seen before or after. */
export async function listServer(server: LockServer): Promise<Line[]> {
  const lines = new Map<LeaseId, Line>();
  for (let after = "-"; ; ) {
    const [count, , last, found] = await server.ask("list", after, PAGE_PATHS);
    for (const [id, text, remainingMs] of found as [string, string, number][]) {
      const line = parseLine(id, text, remainingMs);
      if (line) lines.set(line.entry.id, line);
    }
    if (count < PAGE_PATHS) return [...lines.values()];
    after = `(${last as string}`;
  }
}

/** What a majority of the servers says. Throws LOCK_UNAVAILABLE when no majority answers. */
export async function listAll({ servers, majority }: Quorum): Promise<Line[]> {
  const lists: Line[][] = [];
  const enough = Promise.withResolvers<void>();
  let failure: unknown;
  // One that is known to be silent would only be waited for.
  const asked = servers
    .filter(({ isConnected }) => isConnected)
    .map(async (server) => {
      try {
        lists.push(await listServer(server));
        if (lists.length >= majority) enough.resolve();
      } catch (error) {
        failure = error;
      }
    });
  const all = Promise.all(asked);
  await Promise.race([enough.promise, all]);
  if (lists.length < majority) throw new LockUnavailableError({ path: "" }, failure);
  const late = Promise.withResolvers<void>();
  const timer = setTimeout(late.resolve, OTHERS_MS);
  await Promise.race([all, late.promise]);
  clearTimeout(timer);
  return agreed([...lists], majority);
}

/** What a majority has in the same state, and for how long a majority will. Sorted by id. */
export function agreed(lists: readonly (readonly Line[])[], majority: number): Line[] {
  const said = new Map<string, { id: LeaseId; state: State; lines: Line[] }>();
  for (const list of lists)
    for (const line of list) {
      const { state, entry } = line;
      const key = `${state} ${entry.id}`;
      const same = said.get(key) ?? { id: entry.id, state, lines: [] };
      same.lines.push(line);
      said.set(key, same);
    }
  return [...said.values()]
    .filter(({ lines }) => lines.length >= majority)
    .sort((left, right) => (left.id < right.id ? -1 : 1))
    .map(({ lines }) => lines.sort((left, right) => right.remainingMs - left.remainingMs)[majority - 1] as Line);
}
