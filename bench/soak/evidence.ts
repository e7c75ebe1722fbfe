import { RevisionKind, type SafefileClient } from "@safefile/client";
import { Book } from "./book.js";
import { describe, toldBy } from "./told.js";
import { Violation } from "./violation.js";

/** So many of the newest revisions are printed. */
const HISTORY_MAX = 20;
const HISTORY_MS_MAX = 10_000;

/** What ended a run, with all that callers were told of the path it is about, and what the service says of it now. */
export async function describeEnd(error: unknown, books: string, client: SafefileClient): Promise<string> {
  if (!(error instanceof Violation)) return `FAILURE: ${error instanceof Error ? error.stack : error}\n`;
  const about = error.message.split("\n")[0] as string;
  const lines = [`VIOLATION: ${error.message}`, "answers about it, oldest first:"];
  lines.push(...(await Book.linesAbout(books, about)).map((line) => `  ${line}`));
  lines.push("its history, newest first:", ...(await historyOf(client, about)).map((line) => `  ${line}`), "");
  return lines.join("\n");
}

/** Or why it cannot be said: whatever went wrong may be in the way. */
async function historyOf(client: SafefileClient, path: string): Promise<string[]> {
  const lines: string[] = [];
  try {
    for await (const revision of client.revisions(path, { deadlineMs: HISTORY_MS_MAX, pageSize: HISTORY_MAX })) {
      lines.push(`${RevisionKind[revision.kind]} ${describe(toldBy(revision))}`);
      if (lines.length === HISTORY_MAX) break;
    }
  } catch (error) {
    lines.push(`${error}`);
  }
  return lines;
}
