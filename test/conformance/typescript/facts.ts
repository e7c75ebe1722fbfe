import { createHash } from "node:crypto";
import { type DescMessage, type MessageShape, toJson } from "@bufbuild/protobuf";
import type { SafefileError } from "@safefile/client";

/** Content as values have it. */
export async function contentFacts(pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>) {
  const hash = createHash("sha256");
  const kept: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const piece of pieces) {
    hash.update(piece);
    sizeBytes += piece.length;
    if (sizeBytes <= TEXT_BYTES_MAX) kept.push(piece);
  }
  const facts = { sizeBytes, sha256: hash.digest("hex") };
  return sizeBytes <= TEXT_BYTES_MAX ? { ...facts, ...textOf(Buffer.concat(kept)) } : facts;
}

const TEXT_BYTES_MAX = 1_024;

function textOf(bytes: Buffer): { text?: string } {
  try {
    return { text: new TextDecoder("utf-8", { fatal: true }).decode(bytes) };
  } catch {
    return {};
  }
}

export async function allOf<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

export function json<D extends DescMessage>(schema: D, message: MessageShape<D> | undefined) {
  return message === undefined ? undefined : toJson(schema, message);
}

export function errorFacts(error: SafefileError) {
  const { status, message, reason, outcome, stage, requestId, retryAfterMs, resource, metadata } = error;
  const { fieldViolations, preconditionViolations } = error;
  return {
    code: status,
    message,
    reason,
    outcome,
    stage,
    requestId,
    retryAfterMs,
    resource,
    metadata,
    fieldViolations: fieldViolations.map(({ field, description }) => ({ field, description })),
    preconditionViolations: preconditionViolations.map(({ type, subject, description }) => ({
      type,
      subject,
      description,
    })),
  };
}
