import { createHash } from "node:crypto";
import { isOperationId, type OperationId } from "../model/operation.js";

/**
 * Which file below `uploads/` holds the bytes of an upload that can be resumed. The name is used once: whoever resumes
 * makes a file of its own, so that a stream that was given up never writes into what another one goes on with.
 */
export interface KeptName {
  /** Of volume, path and upload_id. */
  readonly key: string;
  /** One more than the highest seen when it was made: the later stream outranks the earlier. */
  readonly generation: number;
  /** Never used before or again; decides between two that began at once. */
  readonly operation: OperationId;
}

const KEPT = /^r-([0-9a-f]{40})\.([1-9][0-9]{0,8})\.([0-9A-Z]+\.[0-9]+)$/;
const STATE = /\.state(\.new)?$/;

/** 160 bits: no two uploads share one. */
export const keptKey = (volume: string, path: string, uploadId: string): string =>
  createHash("sha256")
    .update(JSON.stringify([volume, path, uploadId]))
    .digest("hex")
    .slice(0, 40);

/** Its leaf below `uploads/`. The first letter tells it from uploads that end with their replica. */
export const keptLeaf = ({ key, generation, operation }: KeptName): string => `r-${key}.${generation}.${operation}`;

/** The file that says which of its bytes are durable, and the name that one is written under at first. */
export const stateLeaf = (name: KeptName): string => `${keptLeaf(name)}.state`;
export const stateDraftLeaf = (name: KeptName): string => `${stateLeaf(name)}.new`;

export function parseKept(leaf: string): KeptName | undefined {
  const [, key, generation, operation] = KEPT.exec(leaf) ?? [];
  if (!key || !operation || !isOperationId(operation)) return undefined;
  return { key, generation: Number(generation), operation };
}

/** The name that a state, or the draft of one, belongs to. */
export const parseState = (leaf: string): KeptName | undefined =>
  STATE.test(leaf) ? parseKept(leaf.replace(STATE, "")) : undefined;

export function outranks(left: KeptName, right: KeptName): boolean {
  if (left.generation !== right.generation) return left.generation > right.generation;
  return left.operation > right.operation;
}
