import { createHash, randomUUID } from "node:crypto";
import type { LeaseId } from "../model/operation.js";
import type { Check, Intent, Operation, Precondition, Source, Standing } from "../model/operation-request.js";
import type { Incarnation } from "../protocol/incarnation.js";

export interface Wanted {
  readonly intents: readonly Intent[];
  readonly checks?: readonly Check[];
  /** What stands for the request where the intents do not say it alike each time it is made; JSON. */
  readonly asked?: unknown;
  /** "" makes one: then a retry is a new operation. */
  readonly requestId: string;
  readonly validateOnly: boolean;
  readonly lockWaitMs: number;
  /** The client's lock under which it is to be done. */
  readonly underLock?: LeaseId | undefined;
  readonly priority: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly traceId: string;
  readonly standing?: Standing | undefined;
  readonly spanId?: string;
  readonly signal: AbortSignal;
}

/** Makes an operation of what is wanted: with an id of its own, and the digest that tells a retry from a reuse. */
export function beginOperation(incarnation: Incarnation, wanted: Wanted): Operation {
  const { asked, ...rest } = wanted;
  const intents = wanted.intents.toSorted(byPath);
  const checks = (wanted.checks ?? []).toSorted(byPath);
  return {
    ...rest,
    id: incarnation.nextOperation(),
    requestId: wanted.requestId || randomUUID(),
    isRepeatable: wanted.requestId !== "",
    requestSha256: requestSha256(intents, checks, asked),
    intents,
    checks,
  };
}

/** Over all that is asked for, of intents and checks sorted by path. */
export function requestSha256(intents: readonly Intent[], checks: readonly Check[] = [], asked?: unknown): Uint8Array {
  const looked = checks.map(({ path, precondition }) => [path, ...conditions(precondition)]);
  const essence = asked ?? [...intents.map(essenceOf), ...looked];
  return createHash("sha256").update(JSON.stringify(essence)).digest();
}

const byPath = (left: { path: string }, right: { path: string }): number => (left.path < right.path ? -1 : 1);

const conditions = ({ etag, ifRevision }: Precondition): unknown[] => [etag ?? null, ifRevision ?? null];

/** JSON for everything that was asked of one path. */
function essenceOf({ path, kind, source, mode, precondition, mtimeNs, xattrs, createOnly }: Intent): unknown {
  const plain = [path, kind, source ? contentOf(source) : null, mode ?? null, ...conditions(precondition)];
  if (mtimeNs === undefined && !xattrs && !createOnly) return plain;
  const set = Object.entries(xattrs?.set ?? {}).map(([name, value]) => [name, digest(value)]);
  return [...plain, String(mtimeNs ?? ""), set.sort(), [...(xattrs?.remove ?? [])].sort(), createOnly ?? false];
}

function contentOf(source: Source): unknown {
  switch (source.from) {
    case "bytes":
    case "upload":
      return Buffer.from(source.sha256).toString("hex");
    case "revision":
      return source.revision;
    case "base":
      return null;
    case "append":
      return digest(source.bytes);
    case "patch":
      return source.edits.map(({ offset, lengthBytes, data }) => [offset, lengthBytes, digest(data)]);
    case "path":
      return [source.path];
    case "copy":
      return [source.path, source.revision];
  }
}

const digest = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
