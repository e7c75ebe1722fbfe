import { createHash } from "node:crypto";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { type Timestamp, timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { ChangeOptions } from "./call-options.js";
import { type Change, checkSize, present } from "./change.js";
import type { MutationResult } from "./gen/safefile/v1/common_pb.js";
import {
  type FileEdit,
  FileEditSchema,
  FileOpsService,
  type PatchFileRequestSchema,
  type SetAttributesRequestSchema,
} from "./gen/safefile/v1/file_ops_service_pb.js";

export interface AppendOptions extends ChangeOptions {
  /** The permission bits of a file that did not exist, 0 to 0o777. 0644 unless given. */
  readonly mode?: number;
}

/** What an append did. */
export interface Appended {
  readonly result: MutationResult;
  /** Where in the file the added bytes begin. */
  readonly offset: number;
}

/** Replaces `length` bytes at `offset` by `data`. */
export interface Edit {
  /** Where, in bytes, counted in the content before any edit. At most its size. */
  readonly offset: number;
  /** How many bytes go. None unless given, which inserts. */
  readonly length?: number;
  /** The bytes that come instead. None unless given, which removes. */
  readonly data?: Uint8Array;
}

export interface PatchOptions extends ChangeOptions {
  /** SHA-256 of the whole file after the edits, when known: anything else is CHECKSUM_MISMATCH. */
  readonly sha256?: Uint8Array;
}

/** Which attributes to change; at least one must be given. */
export interface Attributes {
  /** The permission bits, 0 to 0o777. */
  readonly mode?: number;
  /** The time of last change, from 1970 to 9999; a Timestamp where milliseconds are too coarse. */
  readonly modifiedTime?: Date | Pick<Timestamp, "seconds" | "nanos">;
  /** Extended attributes to set, by name without the "user." in front; at most 64 KiB together. */
  readonly setXattrs?: Readonly<Record<string, Uint8Array>>;
  /** Extended attributes to remove, by name without the "user." in front. Missing ones are no error. */
  readonly removeXattrs?: readonly string[];
}

export interface AttributeOptions extends ChangeOptions, Attributes {}

export async function append(
  change: Change,
  path: string,
  data: Uint8Array,
  options: AppendOptions,
): Promise<Appended> {
  const mode = options.mode === undefined ? {} : { mode: options.mode };
  const { result, offset } = await change(FileOpsService.method.appendFile, options, (carried) => {
    checkSize(data.length, "data", carried.options);
    return { ...carried, path, data, sha256: createHash("sha256").update(data).digest(), ...mode };
  });
  return { result: present(result), offset: Number(offset) };
}

export async function patch(
  change: Change,
  path: string,
  edits: readonly Edit[],
  options: PatchOptions,
): Promise<MutationResult> {
  const { result } = await change(FileOpsService.method.patchFile, options, (carried) => {
    checkSize(editsBytes(edits), "edits", carried.options);
    return { ...carried, ...patchOf(path, edits, options) };
  });
  return present(result);
}

export async function setAttributes(change: Change, path: string, options: AttributeOptions): Promise<MutationResult> {
  const { result } = await change(FileOpsService.method.setAttributes, options, (carried) => ({
    ...carried,
    path,
    ...attributesOf(options),
  }));
  return present(result);
}

export function patchOf(path: string, edits: readonly Edit[], { sha256 }: Pick<PatchOptions, "sha256">) {
  return {
    path,
    edits: edits.map(editOf),
    ...(sha256 === undefined ? {} : { sha256 }),
  } satisfies MessageInitShape<typeof PatchFileRequestSchema>;
}

export function attributesOf({ mode, modifiedTime, setXattrs, removeXattrs }: Attributes) {
  const updateTime = modifiedTime instanceof Date ? timestampFromDate(modifiedTime) : modifiedTime;
  return {
    ...(mode === undefined ? {} : { mode }),
    ...(updateTime === undefined ? {} : { updateTime }),
    setXattrs: { ...setXattrs },
    removeXattrs: [...(removeXattrs ?? [])],
  } satisfies MessageInitShape<typeof SetAttributesRequestSchema>;
}

export function editsBytes(edits: readonly Edit[]): number {
  return edits.reduce((sum, { data }) => sum + (data?.length ?? 0), 0);
}

function editOf({ offset, length = 0, data }: Edit): FileEdit {
  return create(FileEditSchema, {
    offset: BigInt(offset),
    length: BigInt(length),
    ...(data === undefined ? {} : { data }),
  });
}
