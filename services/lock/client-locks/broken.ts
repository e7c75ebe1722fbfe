import type { LeaseId } from "../../model/operation.js";
import { type Line, parseLine, textOf } from "../server.js";
import { fromText, type LockRecord, toText } from "./record.js";

/** What was broken, and what became of it: kept on the volume for a call that is repeated. */
export interface Broken {
  readonly line: Line;
  /** What the volume had of it; undefined for the lease of an operation. */
  readonly record: LockRecord | undefined;
  /** Of the operation that used it; undefined when none did. */
  readonly outcome: "COMMITTED" | "NOT_COMMITTED" | undefined;
  readonly requestId: string;
  readonly reason: string;
}

export function toBrokenText({ line, record, ...rest }: Broken): string {
  const { remainingMs } = line;
  return JSON.stringify({ ...rest, remainingMs, entry: textOf(line.entry), record: record && toText(record) });
}

/** Undefined for what was not written whole. */
export function fromBrokenText(id: LeaseId, text: string): Broken | undefined {
  try {
    const { outcome, requestId, reason, remainingMs, entry, record } = JSON.parse(text) as Omit<Broken, "record"> &
      Record<"entry" | "record", string> & { remainingMs: number };
    const line = parseLine(id, `h${entry}`, remainingMs);
    return line && { line, record: record ? fromText(id, record) : undefined, outcome, requestId, reason };
  } catch {
    return undefined;
  }
}
