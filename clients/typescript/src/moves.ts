import type { MessageInitShape } from "@bufbuild/protobuf";
import { type ChangeOptions, type Condition, conditionOf } from "./call-options.js";
import { type Change, present } from "./change.js";
import type { MutationResult, Revision } from "./gen/safefile/v1/common_pb.js";
import {
  type CopyFileRequestSchema,
  FileOpsService,
  type MoveFileRequestSchema,
} from "./gen/safefile/v1/file_ops_service_pb.js";

/** What may be at the target. */
export interface TargetOptions {
  /** Replace a file at the target; what was there stays as a revision. ALREADY_EXISTS unless given. */
  readonly overwrite?: boolean;
  /** What must be true of the target. The other conditions are about the source. */
  readonly targetPrecondition?: Condition;
}

export interface MoveOptions extends ChangeOptions, TargetOptions {}

export interface CopyOptions extends ChangeOptions, TargetOptions {
  /** Which revision of the source. The live file unless given. */
  readonly revision?: number | bigint;
}

export interface MakeDirectoryOptions extends ChangeOptions {
  /** The permission bits, 0 to 0o777. 0755 unless given. */
  readonly mode?: number;
  /** Succeed, and change nothing, when the directory is there already. ALREADY_EXISTS unless given. */
  readonly allowExisting?: boolean;
}

/** What a move did. */
export interface Moved {
  /** At the target: its `backupRevision` is one of the target. */
  readonly result: MutationResult;
  /** The revision that ended the source. Undefined for `validateOnly`. */
  readonly sourceRevision: Revision | undefined;
}

export function moveOf(path: string, targetPath: string, { overwrite, targetPrecondition }: TargetOptions) {
  return {
    path,
    targetPath,
    overwrite: overwrite ?? false,
    ...conditionOf("targetPrecondition", targetPrecondition ?? {}),
  } satisfies MessageInitShape<typeof MoveFileRequestSchema>;
}

export function copyOf(path: string, targetPath: string, options: TargetOptions & Pick<CopyOptions, "revision">) {
  return {
    ...moveOf(path, targetPath, options),
    revision: BigInt(options.revision ?? 0),
  } satisfies MessageInitShape<typeof CopyFileRequestSchema>;
}

export async function move(change: Change, source: string, target: string, options: MoveOptions): Promise<Moved> {
  const { result, sourceRevision } = await change(FileOpsService.method.moveFile, options, (carried) => ({
    ...carried,
    ...moveOf(source, target, options),
  }));
  return { result: present(result), sourceRevision };
}

export async function copy(
  change: Change,
  source: string,
  target: string,
  options: CopyOptions,
): Promise<MutationResult> {
  const { result } = await change(FileOpsService.method.copyFile, options, (carried) => ({
    ...carried,
    ...copyOf(source, target, options),
  }));
  return present(result);
}

export async function makeDirectory(
  change: Change,
  path: string,
  options: MakeDirectoryOptions,
): Promise<MutationResult> {
  const mode = options.mode === undefined ? {} : { mode: options.mode };
  const allowExisting = options.allowExisting ?? false;
  const { result } = await change(FileOpsService.method.makeDirectory, options, (carried) => ({
    ...carried,
    path,
    allowExisting,
    ...mode,
  }));
  return present(result);
}
