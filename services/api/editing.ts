import { create } from "@bufbuild/protobuf";
import {
  type AppendFileRequest,
  AppendFileResponseSchema,
  type FileOpsService,
  type PatchFileRequest,
  PatchFileResponseSchema,
  type SetAttributesRequest,
  SetAttributesResponseSchema,
} from "../gen/safefile/v1/file_ops_service_pb.js";
import type { Edit, Intent } from "../model/operation-request.js";
import type { FilePath } from "../model/path.js";
import { canonicalPath } from "../validate/path.js";
import type { CallContext, Handlers } from "./call.js";
import type { Mutations } from "./mutations.js";
import { checkMode, checkPosition, checkSha256, checkVolume, fromOptions, refuse, sha256Of } from "./wire.js";

const EDITS_MAX = 1000;
const XATTR_BYTES_MAX = 64 * 1024;
/** Linux: 255 bytes, with "user." in front. */
const XATTR_NAME_BYTES_MAX = 250;
/** The end of the year 9999, where Timestamp ends. */
const SECONDS_MAX = 253_402_300_799n;

/** What is asked of one path, before its options are read. */
export type Asked = Omit<Intent, "path" | "precondition">;

/** Bytes to add; throws INVALID_ARGUMENT for none. */
export function fromAppend(data: Uint8Array, mode: number | undefined, field = "data"): Asked {
  if (data.length === 0) refuse(field, "must not be empty: there is nothing to add");
  return { kind: "APPEND", source: { from: "append", bytes: data }, mode };
}

/** Edits in rising order without overlap; throws INVALID_ARGUMENT for others. */
export function fromEdits(
  { edits, sha256 }: Pick<PatchFileRequest, "edits" | "sha256">,
  path: FilePath,
  within = "",
): Asked {
  const field = `${within}edits`;
  if (edits.length === 0 || edits.length > EDITS_MAX) refuse(field, `must be 1 to ${EDITS_MAX}`);
  checkSha256(sha256, undefined, path, `${within}sha256`);
  let end = 0;
  const read = edits.map(({ offset, length, data }, at): Edit => {
    const edit = {
      offset: checkPosition(offset, `${field}[${at}].offset`),
      lengthBytes: checkPosition(length, `${field}[${at}].length`),
      data,
    };
    if (edit.offset < end) refuse(`${field}[${at}].offset`, "must come behind the edit before it");
    end = edit.offset + edit.lengthBytes;
    return edit;
  });
  return {
    kind: "PATCH",
    source: { from: "patch", edits: read, sha256: sha256.length > 0 ? sha256 : undefined },
    mode: undefined,
  };
}

/** Attributes to change; throws INVALID_ARGUMENT for none. */
export function fromAttributes(
  request: Pick<SetAttributesRequest, "mode" | "updateTime" | "setXattrs" | "removeXattrs">,
  within = "",
): Asked {
  const { mode, updateTime, setXattrs, removeXattrs } = request;
  const set = Object.entries(setXattrs);
  if (mode === undefined && !updateTime && set.length === 0 && removeXattrs.length === 0)
    refuse(`${within}mode`, "or another attribute must be given");
  for (const name of set.map(([key]) => key)) checkXattrName(name, `${within}set_xattrs`);
  for (const name of removeXattrs) checkXattrName(name, `${within}remove_xattrs`);
  if (set.reduce((sum, [name, value]) => sum + Buffer.byteLength(name) + value.length, 0) > XATTR_BYTES_MAX)
    refuse(`${within}set_xattrs`, `must be at most ${XATTR_BYTES_MAX} bytes together`);
  if (updateTime && (updateTime.seconds < 0n || updateTime.seconds > SECONDS_MAX))
    refuse(`${within}update_time`, "must be from 1970 to 9999");
  if (updateTime && (updateTime.nanos < 0 || updateTime.nanos > 999_999_999))
    refuse(`${within}update_time`, "must have 0 to 999,999,999 nanoseconds");
  return {
    kind: "ATTRIBUTES",
    source: { from: "base" },
    mode: checkMode(mode, `${within}mode`),
    mtimeNs: updateTime ? updateTime.seconds * 1_000_000_000n + BigInt(updateTime.nanos) : "keep",
    xattrs: { set: setXattrs, remove: removeXattrs },
  };
}

function checkXattrName(name: string, field: string): void {
  if (name === "" || name.includes("\0") || Buffer.byteLength(name) > XATTR_NAME_BYTES_MAX)
    refuse(field, `must have names of 1 to ${XATTR_NAME_BYTES_MAX} bytes`);
}

/** Changes of a file that build on what it holds. */
export class Editing {
  constructor(private readonly mutations: Mutations) {}

  readonly handlers: Handlers<typeof FileOpsService> = {
    appendFile: (request, context) => this.appendFile(request, context),
    patchFile: (request, context) => this.patchFile(request, context),
    setAttributes: (request, context) => this.setAttributes(request, context),
  };

  private async appendFile(request: AppendFileRequest, context: CallContext) {
    const { path, options } = this.begin(request);
    const { data } = request;
    this.checkSize(data.length, "data");
    const asked = fromAppend(data, checkMode(request.mode));
    checkSha256(request.sha256, sha256Of(data), path);
    const result = await this.mutations.run({ path, ...asked }, options, context);
    const offset = result.validatedOnly
      ? (result.file?.sizeBytes ?? 0n)
      : (result.revision?.sizeBytes ?? 0n) - BigInt(data.length);
    return create(AppendFileResponseSchema, { result, offset });
  }

  private async patchFile(request: PatchFileRequest, context: CallContext) {
    const { path, options } = this.begin(request);
    const asked = fromEdits(request, path);
    this.checkSize(
      request.edits.reduce((sum, { data }) => sum + data.length, 0),
      "edits",
    );
    return create(PatchFileResponseSchema, { result: await this.mutations.run({ path, ...asked }, options, context) });
  }

  private async setAttributes(request: SetAttributesRequest, context: CallContext) {
    const { path, options } = this.begin(request);
    const asked = fromAttributes(request);
    const result = await this.mutations.run({ path, ...asked }, options, context);
    return create(SetAttributesResponseSchema, { result });
  }

  private begin(request: AppendFileRequest | PatchFileRequest | SetAttributesRequest) {
    checkVolume(request.volume, this.mutations.volumeName);
    const path = canonicalPath(request.path);
    return { path, options: fromOptions(request.options, this.mutations.limits) };
  }

  private checkSize(sizeBytes: number, field: string): void {
    const { writeBytesMax } = this.mutations.limits;
    if (sizeBytes > writeBytesMax) refuse(field, `must be at most ${writeBytesMax} bytes`);
  }
}
