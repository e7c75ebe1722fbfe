import { createHash } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import {
  type FileOpsService,
  type ListFilesRequest,
  ListFilesResponseSchema,
  type ReadFileRequest,
  type StatFileRequest,
  StatFileResponseSchema,
  type WriteFileRequest,
  WriteFileResponseSchema,
} from "../gen/safefile/v1/file_ops_service_pb.js";
import { problemOfPath } from "../model/path.js";
import type { Files } from "../query/files.js";
import type { Listing } from "../query/listing.js";
import { canonicalDirectory, canonicalPath } from "../validate/path.js";
import type { CallContext, Handlers, Several } from "./call.js";
import type { Mutations } from "./mutations.js";
import { type Part, type Reading, rangeOf } from "./reading.js";
import {
  checkMode,
  checkPageSize,
  checkPosition,
  checkSha256,
  checkVolume,
  fromOptions,
  fromPageToken,
  refuse,
  toFileInfo,
  toPageToken,
} from "./wire.js";

/** FileOpsService, as far as it is built. */
export class FileOps {
  constructor(
    private readonly mutations: Mutations,
    private readonly files: Files,
    private readonly listing: Listing,
    private readonly reading: Reading,
  ) {}

  readonly handlers: Handlers<typeof FileOpsService> = {
    statFile: (request) => this.statFile(request),
    listFiles: (request) => this.listFiles(request),
    readFile: (request) => this.readFile(request),
    writeFile: (request, context) => this.writeFile(request, context),
  };

  private async statFile({ volume, path }: StatFileRequest) {
    checkVolume(volume, this.mutations.volumeName);
    const info = await this.files.stat(canonicalDirectory(path));
    return create(StatFileResponseSchema, { file: toFileInfo(this.mutations.volumeName, info) });
  }

  private async listFiles(request: ListFilesRequest) {
    checkVolume(request.volume, this.mutations.volumeName);
    const directory = canonicalDirectory(request.path);
    const after = fromPageToken(request.pageToken);
    if (after !== "" && problemOfPath(after)) refuse("page_token", "is not one that a page gave");
    if (after !== "" && directory !== "" && !after.startsWith(`${directory}/`))
      refuse("page_token", "belongs to another directory");
    const count = checkPageSize(request.pageSize);
    const { files, more, last } = await this.listing.page(directory, { recursive: request.recursive, after, count });
    return create(ListFilesResponseSchema, {
      files: files.map((info) => toFileInfo(this.mutations.volumeName, info)),
      nextPageToken: more ? toPageToken(last) : "",
    });
  }

  private async readFile(request: ReadFileRequest): Promise<Several<Part>> {
    checkVolume(request.volume, this.mutations.volumeName);
    const range = rangeOf(request);
    const revision = checkPosition(request.revision, "revision");
    return revision === 0 ? this.reading.live(range) : this.reading.revision(range, revision);
  }

  async writeFile(request: WriteFileRequest, context: CallContext) {
    checkVolume(request.volume, this.mutations.volumeName);
    const path = canonicalPath(request.path);
    const options = fromOptions(request.options, this.mutations.limits);
    const mode = checkMode(request.mode);
    const { writeBytesMax } = this.mutations.limits;
    if (request.data.length > writeBytesMax)
      refuse("data", `must be at most ${writeBytesMax} bytes; use UploadFile for more`);
    checkSha256(request.sha256, undefined, path);
    this.mutations.enter();
    const small = request.data.length <= this.mutations.limits.inlineBytesMax;
    if (small) {
      const sha256 = createHash("sha256").update(request.data).digest();
      checkSha256(request.sha256, sha256, path);
      const source = { from: "bytes" as const, bytes: request.data, sha256 };
      const result = await this.mutations.run({ path, kind: "WRITE", source, mode }, options, context);
      return create(WriteFileResponseSchema, { result });
    }
    await using upload = this.mutations.uploads.begin();
    await upload.write(request.data);
    const source = await upload.finish();
    checkSha256(request.sha256, source.sha256, path);
    const result = await this.mutations.run({ path, kind: "WRITE", source, mode }, options, context);
    return create(WriteFileResponseSchema, { result });
  }
}
