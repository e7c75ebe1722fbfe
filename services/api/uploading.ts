import { create } from "@bufbuild/protobuf";
import { crc32c } from "@node-rs/crc32";
import {
  AlreadyExistsError,
  ChecksumMismatchError,
  LimitExceededError,
  PreconditionFailedError,
  RequestIdReusedError,
  UploadIncompleteError,
  UploadOffsetError,
} from "../errors/index.js";
import type { KeptUpload } from "../execute/kept-upload.js";
import type { ContentChunk, MutationResult } from "../gen/safefile/v1/common_pb.js";
import {
  type FileOpsService,
  type UploadFileRequest,
  UploadFileResponseSchema,
  type UploadHeader,
} from "../gen/safefile/v1/file_ops_service_pb.js";
import { sameBytes } from "../model/content.js";
import type { FilePath } from "../model/path.js";
import { changeOf } from "../model/record.js";
import { requestSha256 } from "../pipeline/begin.js";
import type { Files } from "../query/files.js";
import type { Outcomes } from "../query/outcomes.js";
import { canonicalPath } from "../validate/path.js";
import { checkCondition } from "../validate/preconditions.js";
import type { CallContext, Handlers } from "./call.js";
import type { Mutations } from "./mutations.js";
import {
  checkMode,
  checkPosition,
  checkRequestId,
  checkSha256,
  checkVolume,
  fromOptions,
  type Options,
  refuse,
  toResult,
} from "./wire.js";

export interface UploadingLimits {
  readonly uploadIdleMs: number;
}

type Messages = AsyncIterator<UploadFileRequest>;

/** One upload, once its header was found to be good. */
interface Wanted {
  readonly header: UploadHeader;
  readonly path: FilePath;
  readonly options: Options;
  readonly context: CallContext;
}

/** UploadFile: receives all bytes, then asks for the commit. */
export class Uploading {
  constructor(
    private readonly mutations: Mutations,
    private readonly files: Files,
    private readonly outcomes: Outcomes,
    private readonly limits: UploadingLimits,
  ) {}

  readonly handlers: Handlers<typeof FileOpsService> = {
    uploadFile: (requests, context) => this.uploadFile(requests, context),
  };

  private async uploadFile(requests: AsyncIterable<UploadFileRequest>, context: CallContext) {
    this.mutations.enter();
    const messages = requests[Symbol.asyncIterator]();
    const first = await this.next(messages, context.signal);
    if (first?.part.case !== "header") refuse("header", "must be the first message");
    const header = first.part.value;
    const path = this.checkHeader(header);
    const options = fromOptions(header.options, this.mutations.limits);
    const wanted = { header, path, options, context };
    const result = await (header.uploadId ? this.kept(messages, wanted) : this.once(messages, wanted));
    return create(UploadFileResponseSchema, { result });
  }

  private checkHeader(header: UploadHeader): FilePath {
    checkVolume(header.volume, this.mutations.volumeName);
    checkMode(header.mode, "header.mode");
    checkSha256(header.sha256, undefined, header.path, "header.sha256");
    if (header.sizeBytes !== undefined) checkPosition(header.sizeBytes, "header.size_bytes");
    checkRequestId(header.uploadId, "header.upload_id");
    return canonicalPath(header.path, "header.path");
  }

  /** An upload that ends with its stream. */
  private async once(messages: Messages, wanted: Wanted): Promise<MutationResult> {
    const { header, path, options, context } = wanted;
    await using upload = this.mutations.uploads.begin();
    for (;;) {
      const message = await this.next(messages, context.signal);
      if (!message) break;
      const { data } = this.checkChunk(message, upload.sizeBytes, path);
      await upload.write(data);
    }
    const wantedBytes = header.sizeBytes;
    if (wantedBytes !== undefined && BigInt(upload.sizeBytes) !== wantedBytes)
      throw new ChecksumMismatchError({ field: "header.size_bytes", path });
    const source = await upload.finish();
    checkSha256(header.sha256, source.sha256, path, "header.sha256");
    const intent = { path, kind: "WRITE" as const, source, mode: header.mode };
    return await this.mutations.run(intent, options, context);
  }

  /** An upload whose bytes are kept when its stream breaks. */
  private async kept(messages: Messages, wanted: Wanted): Promise<MutationResult> {
    const { header, path, context } = wanted;
    const { uploads } = this.mutations;
    // A replica that leaves ends them at once: they go on at another one while there is time.
    const signal = AbortSignal.any([context.signal, uploads.leaving]);
    const identity = { volume: this.mutations.volumeName, path, uploadId: header.uploadId };
    const message = await this.next(messages, signal);
    const first = message && this.checkChunk(message, undefined, path);
    // Before anything is taken over: a client that only asks how far it got must not end a stream that goes on.
    const refusal = refusalOf(wanted, first, await uploads.heldBytes(identity));
    if (refusal) return (await this.earlier(wanted)) ?? fail(refusal);
    return await uploads.resume(identity, signal, async (upload) => {
      // Another stream may have come in between.
      const late = refusalOf(wanted, first, upload.sizeBytes);
      if (late) throw late;
      if (first) await this.receive(messages, first, upload, wanted, signal);
      return await this.commit(upload, wanted);
    });
  }

  private async receive(
    messages: Messages,
    first: ContentChunk,
    upload: KeptUpload,
    { header, path }: Wanted,
    signal: AbortSignal,
  ): Promise<void> {
    for (let chunk: ContentChunk | undefined = first; chunk; ) {
      if (header.sizeBytes !== undefined && chunk.offset + BigInt(chunk.data.length) > header.sizeBytes) {
        upload.drop();
        throw new ChecksumMismatchError({ field: "header.size_bytes", path });
      }
      await upload.write(chunk.data, Number(chunk.offset));
      const message = await this.next(messages, signal);
      chunk = message && this.checkChunk(message, upload.nextOffset, path);
    }
    // Without a size nothing says that what is held beyond the end of this stream still belongs to the file.
    if (header.sizeBytes === undefined && (upload.nextOffset ?? 0) < upload.sizeBytes)
      throw upload.gap(upload.nextOffset ?? 0);
  }

  private async commit(upload: KeptUpload, wanted: Wanted): Promise<MutationResult> {
    const { header, path, options, context } = wanted;
    const sizeBytes = header.sizeBytes === undefined ? upload.sizeBytes : Number(header.sizeBytes);
    if (upload.sizeBytes < sizeBytes)
      throw new UploadIncompleteError({ path, sizeBytes, uploadOffset: upload.sizeBytes });
    const source = await upload.finish();
    const digestIsWrong = header.sha256.length > 0 && !sameBytes(header.sha256, source.sha256);
    if (upload.sizeBytes > sizeBytes || digestIsWrong) {
      upload.drop();
      throw new ChecksumMismatchError({ field: digestIsWrong ? "header.sha256" : "header.size_bytes", path });
    }
    const intent = { path, kind: "WRITE" as const, source, mode: header.mode };
    // The stages would end the bytes together with a refused change. Looked at before, they stay for a better one.
    const refusal = await this.refusalByPrecondition(wanted);
    if (refusal) {
      const earlier = await this.earlier(wanted, source.sha256);
      if (!earlier) throw refusal;
      upload.drop();
      return earlier;
    }
    try {
      const result = await this.mutations.run(intent, options, context);
      if (!options.validateOnly) upload.drop();
      return result;
    } catch (failure) {
      throw await upload.explain(failure);
    }
  }

  private async refusalByPrecondition({ path, options }: Wanted): Promise<unknown> {
    const { etag, ifRevision } = options.precondition;
    if (etag === undefined && ifRevision === undefined) return undefined;
    try {
      checkCondition({ path, precondition: options.precondition }, await this.files.peek(path));
      return undefined;
    } catch (error) {
      if (error instanceof PreconditionFailedError || error instanceof AlreadyExistsError) return error;
      throw error;
    }
  }

  /**
   * What the same request came to before, when its answer was lost: then the bytes are no longer here, and need not be
   * sent again. `sha256` is that of the content, as far as it is known.
   */
  private async earlier(wanted: Wanted, sha256?: Uint8Array): Promise<MutationResult | undefined> {
    const { header, path, options, context } = wanted;
    const record = await this.outcomes.find(options.requestId, path);
    const content = record && changeOf(record, path)?.content;
    if (!record) return undefined;
    const known = sha256 ?? (header.sha256.length > 0 ? header.sha256 : content?.sha256);
    const source = { from: "bytes" as const, bytes: new Uint8Array(), sha256: known ?? new Uint8Array() };
    const { precondition } = options;
    const asked = requestSha256([{ path, kind: "WRITE", source, mode: header.mode, precondition }]);
    const hasSize = header.sizeBytes === undefined || header.sizeBytes === BigInt(content?.sizeBytes ?? -1);
    if (!hasSize || !sameBytes(asked, record.requestSha256))
      throw new RequestIdReusedError({ requestId: options.requestId, operationId: record.operation });
    const receipt = { operation: record.operation, requestId: options.requestId, record, replayed: true };
    return toResult(this.mutations.volumeName, context.traceId, { receipt, timings: [] }, path);
  }

  /** A chunk that is what it says; `due` is where it must begin, undefined when it may begin anywhere. */
  private checkChunk(message: UploadFileRequest, due: number | undefined, path: string): ContentChunk {
    if (message.part.case !== "chunk") refuse("chunk", "must be in every message after the first");
    const chunk = message.part.value;
    const { writeBytesMax } = this.mutations.limits;
    if (chunk.data.length > writeBytesMax) refuse("chunk.data", `must be at most ${writeBytesMax} bytes`);
    checkPosition(chunk.offset, "chunk.offset");
    if (due !== undefined && chunk.offset !== BigInt(due))
      refuse("chunk.offset", `is ${chunk.offset}, but the next byte due is ${due}`);
    if (chunk.crc32c !== undefined && chunk.crc32c !== crc32c(chunk.data))
      throw new ChecksumMismatchError({ field: "chunk.crc32c", path });
    return chunk;
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
      signal.throwIfAborted();
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

/** Why a stream cannot go on from what is held; undefined when it can. */
function refusalOf({ header, path }: Wanted, first: ContentChunk | undefined, heldBytes: number): Error | undefined {
  const { sizeBytes } = header;
  if (first)
    return first.offset > BigInt(heldBytes)
      ? new UploadOffsetError({ path, offset: checkPosition(first.offset, "chunk.offset"), uploadOffset: heldBytes })
      : undefined;
  if (sizeBytes === undefined)
    // No chunk makes an empty file; but not out of one that is half here.
    return heldBytes > 0 ? new UploadOffsetError({ path, offset: 0, uploadOffset: heldBytes }) : undefined;
  return sizeBytes > BigInt(heldBytes)
    ? new UploadIncompleteError({
        path,
        sizeBytes: checkPosition(sizeBytes, "header.size_bytes"),
        uploadOffset: heldBytes,
      })
    : undefined;
}

function fail(error: Error): never {
  throw error;
}
