import { createHash } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import { crc32c } from "@node-rs/crc32";
import { ChecksumMismatchError, LimitExceededError, NotImplementedError } from "../errors/index.js";
import type { Upload } from "../execute/uploads.js";
import {
  type FileOpsService,
  type ListFilesRequest,
  ListFilesResponseSchema,
  type ReadFileRequest,
  type StatFileRequest,
  StatFileResponseSchema,
  type UploadFileRequest,
  UploadFileResponseSchema,
  type UploadHeader,
  type WriteFileRequest,
  WriteFileResponseSchema,
} from "../gen/safefile/v1/file_ops_service_pb.js";
import { problemOfPath } from "../model/path.js";
import type { Files } from "../query/files.js";
import type { Listing } from "../query/listing.js";
import { canonicalDirectory, canonicalPath } from "../validate/path.js";
import type { CallContext, Handlers } from "./call.js";
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

export interface FileOpsLimits {
  readonly uploadIdleMs: number;
  readonly writesInFlightMax: number;
}

/** FileOpsService, as far as it is built. */
export class FileOps {
  constructor(
    private readonly mutations: Mutations,
    private readonly files: Files,
    private readonly listing: Listing,
    private readonly reading: Reading,
    private readonly limits: FileOpsLimits,
  ) {}

  readonly handlers: Handlers<typeof FileOpsService> = {
    statFile: (request) => this.statFile(request),
    listFiles: (request) => this.listFiles(request),
    readFile: (request) => this.readFile(request),
    writeFile: (request, context) => this.writeFile(request, context),
    uploadFile: (requests, context) => this.uploadFile(requests, context),
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

  private readFile(request: ReadFileRequest): AsyncIterable<Part> {
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

  private async uploadFile(requests: AsyncIterable<UploadFileRequest>, context: CallContext) {
    this.mutations.enter();
    const messages = requests[Symbol.asyncIterator]();
    const first = await this.next(messages, context.signal);
    if (first?.part.case !== "header") refuse("header", "must be the first message");
    const header = first.part.value;
    const path = this.checkHeader(header);
    const options = fromOptions(header.options, this.mutations.limits);
    await using upload = this.mutations.uploads.begin();
    for (;;) {
      const message = await this.next(messages, context.signal);
      if (!message) break;
      await this.receive(message, upload, path);
    }
    const wantedBytes = header.sizeBytes;
    if (wantedBytes !== undefined && BigInt(upload.sizeBytes) !== wantedBytes)
      throw new ChecksumMismatchError({ field: "header.size_bytes", path });
    const source = await upload.finish();
    checkSha256(header.sha256, source.sha256, path, "header.sha256");
    const intent = { path, kind: "WRITE" as const, source, mode: header.mode };
    return create(UploadFileResponseSchema, { result: await this.mutations.run(intent, options, context) });
  }

  private checkHeader(header: UploadHeader) {
    if (header.uploadId) throw new NotImplementedError({ what: "resuming by header.upload_id" });
    checkVolume(header.volume, this.mutations.volumeName);
    checkMode(header.mode, "header.mode");
    checkSha256(header.sha256, undefined, header.path, "header.sha256");
    if (header.sizeBytes !== undefined) checkPosition(header.sizeBytes, "header.size_bytes");
    return canonicalPath(header.path, "header.path");
  }

  private async receive(message: UploadFileRequest, upload: Upload, path: string): Promise<void> {
    if (message.part.case !== "chunk") refuse("chunk", "must be in every message after the first");
    const { data, offset, crc32c: wanted } = message.part.value;
    if (data.length > this.mutations.limits.writeBytesMax)
      refuse("chunk.data", `must be at most ${this.mutations.limits.writeBytesMax} bytes`);
    if (offset !== BigInt(upload.sizeBytes))
      refuse("chunk.offset", `is ${offset}, but the next byte due is ${upload.sizeBytes}`);
    if (wanted !== undefined && wanted !== crc32c(data))
      throw new ChecksumMismatchError({ field: "chunk.crc32c", path });
    await upload.write(data);
  }

  /** The next message; undefined at the end. A client that stalls is given up, so that it holds nothing for ever. */
  private async next<T>(messages: AsyncIterator<T>, signal: AbortSignal): Promise<T | undefined> {
    const { uploadIdleMs } = this.limits;
    const idle = Promise.withResolvers<never>();
    const stalled = (): void =>
      idle.reject(new LimitExceededError({ field: "chunk", limit: `${uploadIdleMs} ms between two messages` }));
    const timer = setTimeout(stalled, uploadIdleMs);
    const leave = (): void => idle.reject(signal.reason);
    signal.addEventListener("abort", leave, { once: true });
    try {
      const result = await Promise.race([messages.next(), idle.promise]);
      return result.done ? undefined : result.value;
    } catch (error) {
      throw signal.aborted ? signal.reason : error;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", leave);
    }
  }
}
