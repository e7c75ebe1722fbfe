import { create } from "@bufbuild/protobuf";
import { AlreadyExistsError, PathInvalidError } from "../errors/index.js";
import {
  type CopyFileRequest,
  CopyFileResponseSchema,
  type DeleteFileRequest,
  DeleteFileResponseSchema,
  type FileOpsService,
  type MakeDirectoryRequest,
  MakeDirectoryResponseSchema,
  type MoveFileRequest,
  MoveFileResponseSchema,
} from "../gen/safefile/v1/file_ops_service_pb.js";
import type { Intent, Precondition, Standing } from "../model/operation-request.js";
import { type FilePath, problemOfPath } from "../model/path.js";
import type { Finished } from "../pipeline/pipeline.js";
import type { TreeEntry, Trees } from "../query/tree.js";
import { canonicalPath } from "../validate/path.js";
import type { CallContext, Handlers } from "./call.js";
import type { Copies } from "./copies.js";
import { type Mutations, UNCONDITIONAL } from "./mutations.js";
import {
  checkMode,
  checkPosition,
  checkVolume,
  fromOptions,
  fromPrecondition,
  refuse,
  toFileInfo,
  toMade,
} from "./wire.js";

/** The two changes of a file that moves: what was at the source is at the target, and the source is gone. */
export const moveOf = (
  source: FilePath,
  target: FilePath,
  options: { precondition: Precondition; targetPrecondition: Precondition; overwrite: boolean },
): Intent[] => [
  { path: source, kind: "MOVE", source: undefined, mode: undefined, precondition: options.precondition },
  {
    path: target,
    kind: "MOVE",
    source: { from: "path", path: source },
    mode: undefined,
    mtimeNs: "keep",
    createOnly: !options.overwrite,
    precondition: options.targetPrecondition,
  },
];

/** The target of a move or copy: another path than the source, and not below it. */
export function checkTarget(source: FilePath, targetPath: string, field = "target_path"): FilePath {
  const target = canonicalPath(targetPath, field);
  if (target === source) refuse(field, "must be another path than the source");
  if (target.startsWith(`${source}/`)) refuse(field, "must not lie below the source");
  return target;
}

const plain = { source: undefined, mode: undefined, precondition: UNCONDITIONAL };

/** Changes of where files and directories are. */
export class Moving {
  constructor(
    private readonly mutations: Mutations,
    private readonly trees: Trees,
    private readonly copies: Copies,
  ) {}

  readonly handlers: Handlers<typeof FileOpsService> = {
    moveFile: (request, context) => this.moveFile(request, context),
    copyFile: (request, context) => this.copyFile(request, context),
    makeDirectory: (request, context) => this.makeDirectory(request, context),
    deleteFile: (request, context) => this.deleteFile(request, context),
  };

  private async moveFile(request: MoveFileRequest, context: CallContext) {
    checkVolume(request.volume, this.mutations.volumeName);
    const source = canonicalPath(request.path);
    const target = checkTarget(source, request.targetPath);
    const options = fromOptions(request.options, this.mutations.limits);
    const { precondition } = options;
    if (precondition.ifRevision === 0)
      refuse("options.precondition.if_revision", "must not be zero: what is not there cannot be moved");
    const targetPrecondition = fromPrecondition(request.targetPrecondition, "target_precondition");
    const { overwrite } = request;
    const asked = ["MOVE", source, target, precondition, targetPrecondition, overwrite];
    const moveAll = async (standing: Standing | undefined): Promise<Finished | undefined> => {
      const entries = await this.treeToMove(source, target);
      if (!entries) return undefined;
      refuseConditions(precondition, "options.precondition");
      // Said before what would lie below that file is looked for.
      if ((await this.mutations.files.peek(target))?.type === "file") throw new AlreadyExistsError({ path: target });
      const intents = moveTree(source, target, entries, targetPrecondition);
      return await this.mutations.finish({ intents, asked, standing }, options, context);
    };
    const isTree = await this.isTreeToMove(source, target);
    const moved = isTree ? await this.mutations.inTrees([source, target], options, context, moveAll) : undefined;
    const intents = moveOf(source, target, { precondition, targetPrecondition, overwrite });
    const finished = moved ?? (await this.mutations.finish({ intents, asked }, options, context));
    const { record } = finished.receipt;
    return create(MoveFileResponseSchema, {
      result: await this.mutations.resultOf(target, finished, context),
      ...(record && { sourceRevision: toMade(this.mutations.volumeName, record, source)?.revision }),
    });
  }

  private async isTreeToMove(source: FilePath, target: FilePath): Promise<boolean> {
    const { files } = this.mutations;
    return ((await files.peek(source)) ?? (await files.peek(target)))?.type === "directory";
  }

  /** What lies in the directory `source`; undefined for anything but a directory. */
  private async treeToMove(source: FilePath, target: FilePath): Promise<TreeEntry[] | undefined> {
    const { files } = this.mutations;
    const found = await files.peek(source);
    if (found) return found.type === "directory" ? this.trees.all(source) : undefined;
    // A directory at the target may be the one that was here: then this request was carried out before.
    const isMoved = (await files.peek(target))?.type === "directory";
    return isMoved ? [{ path: source, type: "directory", mode: 0 }] : undefined;
  }

  private async copyFile(request: CopyFileRequest, context: CallContext) {
    checkVolume(request.volume, this.mutations.volumeName);
    const source = canonicalPath(request.path);
    const target = checkTarget(source, request.targetPath);
    const { precondition, ...options } = fromOptions(request.options, this.mutations.limits);
    const targetPrecondition = fromPrecondition(request.targetPrecondition, "target_precondition");
    const revision = checkPosition(request.revision, "revision");
    const copy = this.copies.of(source, revision, precondition);
    const intent = {
      path: target,
      kind: "COPY" as const,
      source: copy,
      mode: undefined,
      createOnly: !request.overwrite,
      precondition: targetPrecondition,
    };
    const asked = ["COPY", source, target, revision, precondition, targetPrecondition, request.overwrite];
    const result = await this.mutations.runAbout(
      target,
      { intents: [intent], asked },
      { ...options, precondition },
      context,
    );
    return create(CopyFileResponseSchema, { result });
  }

  private async makeDirectory(request: MakeDirectoryRequest, context: CallContext) {
    checkVolume(request.volume, this.mutations.volumeName);
    const path = canonicalPath(request.path);
    const options = fromOptions(request.options, this.mutations.limits);
    if (options.precondition.ifRevision !== 0) refuseConditions(options.precondition, "options.precondition");
    const mode = checkMode(request.mode);
    const intent = { ...plain, path, kind: "MAKE_DIRECTORY" as const, mode, createOnly: true };
    try {
      const result = await this.mutations.runAbout(path, { intents: [intent] }, options, context);
      return create(MakeDirectoryResponseSchema, { result });
    } catch (error) {
      if (!(error instanceof AlreadyExistsError) || !request.allowExisting) throw error;
      const found = await this.mutations.files.peek(path);
      if (found?.type !== "directory") throw error;
      const { traceId } = context;
      const file = toFileInfo(this.mutations.volumeName, found);
      const requestId = context.facts.get("request_id") ?? options.requestId;
      return create(MakeDirectoryResponseSchema, {
        result: { file, requestId, traceId, validatedOnly: options.validateOnly },
      });
    }
  }

  private async deleteFile(request: DeleteFileRequest, context: CallContext) {
    checkVolume(request.volume, this.mutations.volumeName);
    const path = canonicalPath(request.path);
    const options = fromOptions(request.options, this.mutations.limits);
    const { precondition } = options;
    if (precondition.ifRevision === 0)
      refuse("options.precondition.if_revision", "must not be zero: what is not there cannot be deleted");
    const asked = request.recursive ? ["DELETE", path, precondition] : undefined;
    const isDirectory = async (): Promise<boolean> => (await this.mutations.files.peek(path))?.type === "directory";
    const removeAll = async (standing: Standing | undefined) => {
      if (!(await isDirectory())) return undefined;
      refuseConditions(precondition, "options.precondition");
      const intents = removeTree(await this.trees.all(path));
      return await this.mutations.runAbout(path, { intents, asked, standing }, options, context);
    };
    const isTree = request.recursive && (await isDirectory());
    const removed = isTree ? await this.mutations.inTrees([path], options, context, removeAll) : undefined;
    const intents = [{ ...plain, path, kind: "DELETE" as const, precondition }];
    const result = removed ?? (await this.mutations.runAbout(path, { intents, asked }, options, context));
    return create(DeleteFileResponseSchema, { result });
  }
}

function refuseConditions({ etag, ifRevision }: Precondition, field: string): void {
  if (etag !== undefined || ifRevision !== undefined)
    refuse(field, "must be unset: a directory has no etag and no revision to compare");
}

/** Each file of the tree moves, and each directory is made there and removed here. */
function moveTree(
  source: FilePath,
  target: FilePath,
  entries: readonly TreeEntry[],
  targetPrecondition: Precondition,
): Intent[] {
  return entries.flatMap(({ path, type, mode }) => {
    const to = `${target}${path.slice(source.length)}` as FilePath;
    const problem = problemOfPath(to);
    if (problem) throw new PathInvalidError({ field: "target_path", problem: `would make a path that ${problem}` });
    const at = path === source ? targetPrecondition : UNCONDITIONAL;
    if (type === "file")
      return moveOf(path, to, { precondition: UNCONDITIONAL, targetPrecondition: at, overwrite: false });
    return [
      { ...plain, path, kind: "REMOVE_DIRECTORY" as const },
      { ...plain, path: to, kind: "MAKE_DIRECTORY" as const, mode, createOnly: true, precondition: at },
    ];
  });
}

const removeTree = (entries: readonly TreeEntry[]): Intent[] =>
  entries.map(({ path, type }) => ({ ...plain, path, kind: type === "file" ? "DELETE" : "REMOVE_DIRECTORY" }));
