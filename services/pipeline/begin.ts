import { createHash, randomUUID } from "node:crypto";
import type { Intent, Operation } from "../model/operation-request.js";
import type { Incarnation } from "../protocol/incarnation.js";

export interface Wanted {
  readonly intents: readonly Intent[];
  /** "" makes one: then a retry is a new operation. */
  readonly requestId: string;
  readonly validateOnly: boolean;
  readonly lockWaitMs: number;
  readonly priority: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly traceId: string;
  readonly signal: AbortSignal;
}

/** Makes an operation of what is wanted: with an id of its own, and the digest that tells a retry from a reuse. */
export function beginOperation(incarnation: Incarnation, wanted: Wanted): Operation {
  const intents = [...wanted.intents].sort((left, right) => (left.path < right.path ? -1 : 1));
  return {
    ...wanted,
    id: incarnation.nextOperation(),
    requestId: wanted.requestId || randomUUID(),
    requestSha256: createHash("sha256")
      .update(JSON.stringify(intents.map(essence)))
      .digest(),
    intents,
  };
}

function essence({ path, kind, source, mode, precondition }: Intent): unknown {
  const { etag, ifRevision } = precondition;
  const content = source?.from === "revision" ? source.revision : source && Buffer.from(source.sha256).toString("hex");
  return [path, kind, content ?? null, mode ?? null, etag ?? null, ifRevision ?? null];
}
