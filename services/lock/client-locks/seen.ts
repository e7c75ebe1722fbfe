import { LockUnavailableError } from "../../errors/index.js";
import type { LeaseId } from "../../model/operation.js";
import type { Quorum } from "../quorum.js";
import { type Line, type LockServer, parseLine, type Reply, type Verb } from "../server.js";

const PATHS_PER_STEP = 1_000;

/** Asks all servers the same; a majority must answer, or it is LOCK_UNAVAILABLE. */
export async function askAll(
  quorum: Quorum,
  path: string,
  verb: Exclude<Verb, "acquire">,
  ...args: (string | number)[]
): Promise<Reply[]> {
  const asked = quorum.servers.map((server) => server.ask(verb, ...args));
  const answers = await Promise.allSettled(asked);
  const replies = answers.flatMap((answer) => (answer.status === "fulfilled" ? [answer.value] : []));
  if (replies.length >= quorum.majority) return replies;
  const failure = answers.find((answer) => answer.status === "rejected");
  throw new LockUnavailableError({ path }, failure?.reason);
}

/** What a majority of the servers says of one entry: undefined when it is over. It lasts as long as for the majority. */
export async function look(quorum: Quorum, id: LeaseId, path: string): Promise<Line | undefined> {
  const replies = await askAll(quorum, path, "look", id);
  const lines = replies.flatMap(([found, , text, leftMs]) => {
    const line = found === 1 ? parseLine(id, String(text), Number(leftMs)) : undefined;
    return line?.state === "holding" ? [line] : [];
  });
  return agreed(lines, quorum.majority);
}

/** The one that lasts as long as a majority says; undefined when there is none. */
function agreed(lines: readonly Line[], majority: number): Line | undefined {
  return lines.toSorted((left, right) => right.remainingMs - left.remainingMs)[majority - 1];
}

/**
 * All who hold, as a majority says, and all who wait, as anybody says: where one was granted by a few servers only it
 * waits at the others. LOCK_UNAVAILABLE when no majority answers.
 */
export async function everyone(quorum: Quorum): Promise<Line[]> {
  const answers = await Promise.allSettled(quorum.servers.map(linesOf));
  const told = answers.flatMap((answer) => (answer.status === "fulfilled" ? [answer.value] : []));
  if (told.length < quorum.majority) {
    const failure = answers.find((answer) => answer.status === "rejected");
    throw new LockUnavailableError({ path: "" }, failure?.reason);
  }
  const byId = Map.groupBy(told.flat(), ({ entry }) => entry.id);
  return [...byId.values()].flatMap((lines) => {
    const holding = lines.filter(({ state }) => state === "holding");
    const waiting = lines.find(({ state }) => state === "waiting");
    return agreed(holding, quorum.majority) ?? waiting ?? [];
  });
}

async function linesOf(server: LockServer): Promise<Line[]> {
  const lines = new Map<string, Line>();
  for (let after = "-"; ; ) {
    const [count, , last, found] = await server.ask("list", after, PATHS_PER_STEP);
    for (const [id, text, leftMs] of found as [string, string, number][]) {
      const line = parseLine(id, text, Number(leftMs));
      if (line) lines.set(id, line);
    }
    if (Number(count) < PATHS_PER_STEP) return [...lines.values()];
    after = `(${String(last)}`;
  }
}
