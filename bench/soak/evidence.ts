import { RevisionKind, type SafefileClient } from "@safefile/client";
import { Book } from "./book.js";
import { describe, toldBy } from "./told.js";
import { Violation } from "./violation.js";

/** Of answers and of revisions, so many of the newest are printed; of those that do not fit together, the oldest. */
const LINES_MAX = 20;
const HISTORY_MS_MAX = 60_000;
const COMMITTED = "COMMITTED ";

/**
 * What ended a run. Of a violation, what callers were told of the path it is about, what the service says of it now, and
 * where the two differ.
 */
export async function describeEnd(error: unknown, books: string, client: SafefileClient): Promise<string> {
  if (!(error instanceof Violation)) return `FAILURE: ${error instanceof Error ? error.stack : error}\n`;
  const path = error.message.split("\n")[0] as string;
  const noted = await Book.about(books, path);
  const history = await historyOf(client, path);
  const acknowledged = new Set(
    noted.flatMap(({ answer }) => (answer.startsWith(COMMITTED) ? [answer.slice(COMMITTED.length)] : [])),
  );
  const there = new Set(history.map(({ told }) => told));
  return [
    `VIOLATION: ${error.message}`,
    ...listed("answers, newest last", noted.map(({ time, answer }) => `${time} ${answer}`).slice(-LINES_MAX)),
    ...listed("revisions, newest last", history.map(({ kind, told }) => `${kind} ${told}`).slice(-LINES_MAX)),
    ...listed("acknowledged and not there", without(acknowledged, there)),
    ...listed("there and not acknowledged", without(there, acknowledged)),
    "",
  ].join("\n");
}

const listed = (title: string, lines: readonly string[]): string[] => [
  `${title}:${lines.length === 0 ? " none" : ""}`,
  ...lines.map((line) => `  ${line}`),
];

const without = (all: ReadonlySet<string>, others: ReadonlySet<string>): string[] =>
  [...all].filter((each) => !others.has(each)).slice(0, LINES_MAX);

/** Oldest first; as far as it can be had, since whatever went wrong may be in the way. */
async function historyOf(client: SafefileClient, path: string): Promise<{ kind: string; told: string }[]> {
  const history: { kind: string; told: string }[] = [];
  try {
    for await (const revision of client.revisions(path, { deadlineMs: HISTORY_MS_MAX }))
      history.push({ kind: RevisionKind[revision.kind] ?? `${revision.kind}`, told: describe(toldBy(revision)) });
  } catch (error) {
    history.push({ kind: "and then", told: `${error}` });
  }
  return history.reverse();
}
