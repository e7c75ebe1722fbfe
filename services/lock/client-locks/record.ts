import { z } from "zod";
import type { LeaseId } from "../../model/operation.js";
import type { FilePath } from "../../model/path.js";
import type { Entry } from "../entry.js";
import type { Target } from "../target.js";

const OwnerText = z.object({
  party: z.string(),
  name: z.string(),
  incarnation: z.string(),
  operation: z.string(),
  traceId: z.string(),
  spanId: z.string(),
  isClientLock: z.boolean(),
  priority: z.number(),
  sinceMs: z.number(),
});

const LockText = z.object({
  id: z.string(),
  rank: z.number(),
  owner: OwnerText,
  targets: z.array(z.tuple([z.string(), z.enum(["path", "subtree"]), z.enum(["exclusive", "shared"]), z.number()])),
  ttlMs: z.number(),
  requestId: z.string(),
  requestSha256: z.string(),
  labels: z.record(z.string(), z.string()),
  acquireTimeMs: z.number(),
});

/** A client's lock as it is kept on the volume, so that it outlives Redis. Never changes. */
export interface LockRecord {
  readonly entry: Entry;
  /** Of each target of the entry, in the same order; 0 where it is shared. */
  readonly tokens: readonly number[];
  readonly ttlMs: number;
  readonly requestId: string;
  /** Over all that was asked for, in hex. */
  readonly requestSha256: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly acquireTimeMs: number;
}

const ID = /^[A-Za-z0-9_-]{12,32}\.[1-9][0-9]{0,14}$/;
/** Whether it can be the id of a lock, and so a file's name. */
export const isLockId = (text: string): text is LeaseId => ID.test(text);

export function toText({ entry, tokens, ...rest }: LockRecord): string {
  const { id, rank, owner, targets } = entry;
  const tuples = targets.map(({ path, scope, mode }, at) => [path, scope, mode, tokens[at] ?? 0]);
  return JSON.stringify({ id, rank, owner, targets: tuples, ...rest });
}

/** Undefined for what was not written whole, or not by us. */
export function fromText(id: LeaseId, text: string): LockRecord | undefined {
  try {
    const { id: named, rank, owner, targets: tuples, ...rest } = LockText.parse(JSON.parse(text));
    if (named !== id) return undefined;
    const targets: Target[] = tuples.map(([path, scope, mode]) => ({ path: path as FilePath | "", scope, mode }));
    return { entry: { id, targets, rank, under: "", owner }, tokens: tuples.map(([, , , token]) => token), ...rest };
  } catch {
    return undefined;
  }
}
