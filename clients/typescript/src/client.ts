import { createHash } from "node:crypto";
import type { DescMessage, DescMethodUnary, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { credentials as grpcCredentials } from "@grpc/grpc-js";
import { type CallOptions, type ChangeOptions, mutationOptions } from "./call-options.js";
import { type Change, DATA_BYTES_MAX, present } from "./change.js";
import { type CallContext, Channel } from "./channel.js";
import type { UploadSource } from "./chunks.js";
import {
  type ClientOptions,
  type DrainOptions,
  type IncidentsOptions,
  type ListOptions,
  type ReadOptions,
  type RemoveOptions,
  rangeOf,
  type WholeReadOptions,
  type WriteOptions,
} from "./client-options.js";
import { Download } from "./download.js";
import {
  type Appended,
  type AppendOptions,
  type AttributeOptions,
  append,
  type Edit,
  type PatchOptions,
  patch,
  setAttributes,
} from "./edits.js";
import { type EventsOptions, watchEvents } from "./events.js";
import {
  AdminService,
  type DrainReplicaResponse,
  type WatchEventsResponse,
} from "./gen/safefile/v1/admin_service_pb.js";
import type { FileInfo, Incident, MutationResult, Revision } from "./gen/safefile/v1/common_pb.js";
import { FileOpsService, type WatchFilesResponse } from "./gen/safefile/v1/file_ops_service_pb.js";
import {
  type RebuildIndexResponse,
  RecoveryService,
  type StartRestoreResponse,
  type WatchRestoreResponse,
} from "./gen/safefile/v1/recovery_service_pb.js";
import { Locks } from "./locks.js";
import {
  type CopyOptions,
  copy,
  type MakeDirectoryOptions,
  type Moved,
  type MoveOptions,
  makeDirectory,
  move,
} from "./moves.js";
import { pages } from "./pages.js";
import { type RestoreOptions, restoreRequest, type WatchOptions, watchRestore } from "./restore.js";
import { RETRY_DEFAULT } from "./retry.js";
import { type Transacted, type TransactionOptions, type TransactionSource, transaction } from "./transaction.js";
import { type UploadOptions, upload } from "./upload.js";
import { type FileWatchOptions, watchFiles } from "./watch.js";
import { receiveWhole, type Whole } from "./whole.js";
import { type WriteAnswer, WriteMany, type WriteManyOptions, type WriteSource } from "./write-many.js";

const DEADLINE_MS = 30_000;
const IDLE_MS_MAX = 60_000;
/** Rebuilding reads every journal. */
const REBUILD_DEADLINE_MS = 60 * 60_000;
const RECEIVE_BYTES = 4 * 1024 * 1024;
const CHUNK_BYTES = 256 * 1024;
const CHUNK_BYTES_MAX = 1024 * 1024;
const WHOLE_BYTES_MAX = 64 * 1024 * 1024;
const PAGE_SIZE = 1_000;

/** Safe file changes over gRPC. One client holds one connection and may be used by many calls at once. */
export class SafefileClient {
  readonly #channel: Channel;
  readonly #options: ClientOptions;
  readonly #chunkBytes: number;
  /** Locks over several calls. No change needs one: each locks for itself. */
  readonly locks: Locks;

  constructor(options: ClientOptions) {
    this.#chunkBytes = options.windows?.chunkBytes ?? CHUNK_BYTES;
    if (!(this.#chunkBytes > 0 && this.#chunkBytes <= CHUNK_BYTES_MAX)) {
      throw new RangeError(`windows.chunkBytes must be from 1 to ${CHUNK_BYTES_MAX}`);
    }
    this.#options = options;
    this.#channel = new Channel({
      address: options.address,
      credentials: options.credentials ?? grpcCredentials.createInsecure(),
      receiveBytes: options.windows?.receiveBytes ?? RECEIVE_BYTES,
      retry: { ...RETRY_DEFAULT, ...options.retry },
    });
    const deadlineMs = options.deadlineMs ?? DEADLINE_MS;
    this.locks = new Locks(this.#channel, this.call.bind(this), this.#volume.bind(this), deadlineMs);
  }

  /** What is at a path now. Empty is the root. */
  async stat(path: string, options: CallOptions = {}): Promise<FileInfo> {
    const { file } = await this.call(FileOpsService.method.statFile, { volume: this.#volume(options), path }, options);
    return present(file);
  }

  /** The entries of a directory, sorted, over all pages. */
  async *list(path = "", options: ListOptions = {}): AsyncGenerator<FileInfo> {
    const { recursive = false, pageSize = PAGE_SIZE } = options;
    const request = { volume: this.#volume(options), path, recursive, pageSize };
    const ask = (pageToken: string) => this.call(FileOpsService.method.listFiles, { ...request, pageToken }, options);
    for await (const page of pages(ask)) yield* page.files;
  }

  /** A whole small file at once. */
  async read(path: string, options: WholeReadOptions = {}): Promise<{ bytes: Uint8Array; file: FileInfo }> {
    const request = { volume: this.#volume(options), path, ...rangeOf(options) };
    const start = () => this.#channel.serverStream(FileOpsService.method.readFile, request);
    const { bytes, header } = await this.#whole(path, options, start);
    return { bytes, file: present(header.file) };
  }

  /** A file of any size, as it arrives. What it yields is whole only once it has ended without an error. */
  download(path: string, options: ReadOptions = {}): Promise<Download> {
    const request = { volume: this.#volume(options), path, ...rangeOf(options) };
    return this.#open(path, options, () => this.#channel.serverStream(FileOpsService.method.readFile, request));
  }

  /** Creates or replaces a file. More than 1 MiB travels as an upload. */
  async write(path: string, bytes: Uint8Array, options: WriteOptions = {}): Promise<MutationResult> {
    const sha256 = createHash("sha256").update(bytes).digest();
    if (bytes.length > DATA_BYTES_MAX) return this.upload(path, bytes, { ...options, sha256 });
    const mode = options.mode === undefined ? {} : { mode: options.mode };
    const { result } = await this.#change(FileOpsService.method.writeFile, options, (carried) => ({
      ...carried,
      ...mode,
      path,
      data: bytes,
      sha256,
    }));
    return present(result);
  }

  /**
   * Creates or replaces a file of any size. No more of the source is read than the server takes. When the connection
   * breaks it goes on from what the server holds, unless the source is a stream, which cannot be read again.
   */
  upload(path: string, source: UploadSource, options: UploadOptions = {}): Promise<MutationResult> {
    const isWhole = source instanceof Uint8Array;
    const size = options.sizeBytes ?? (isWhole ? source.length : undefined);
    const sha256 = options.sha256 ?? (isWhole ? createHash("sha256").update(source).digest() : undefined);
    return upload(source, options, {
      channel: this.#channel,
      chunkBytes: this.#chunkBytes,
      idleMsMax: this.#idleMsMax,
      answerMsMax: this.#deadlineMs(options),
      sizeBytes: size,
      header: {
        volume: this.#volume(options),
        path,
        options: mutationOptions(options),
        ...(options.mode === undefined ? {} : { mode: options.mode }),
        ...(size === undefined ? {} : { sizeBytes: BigInt(size) }),
        ...(sha256 === undefined ? {} : { sha256 }),
      },
    });
  }

  /**
   * Many small writes on one stream, answered as they commit, in any order. One that fails ends nothing: its answer
   * holds the error. No more of the source is read than `inFlight` writes, or 16 MiB, ahead of the answers that were
   * taken. When the stream breaks, what has no answer is sent again with the same request ids, so that nothing is
   * written twice.
   *
   * Every write that was read is answered once. What ends the whole (the service stays UNAVAILABLE, a signal) is first
   * given as the answer to each open write and then thrown; an error of the source is thrown after the last answer.
   * Leaving the loop early abandons the open writes: each may be committed or not. Two writes of one path may be
   * committed in either order: wait for the first one's answer.
   */
  writeMany(writes: WriteSource, options: WriteManyOptions = {}): AsyncGenerator<WriteAnswer, void, void> {
    const many = new WriteMany(writes, options, {
      channel: this.#channel,
      volume: this.#volume(options),
      answerMsMax: ({ lockWaitMs }) =>
        this.#deadlineMs({ ...options, ...(lockWaitMs === undefined ? {} : { lockWaitMs }) }),
    });
    return many.answers();
  }

  /** Adds 1 byte to 1 MiB at the end of a file, creating it when it is missing. Readers see all of them or none. */
  append(path: string, data: Uint8Array, options: AppendOptions = {}): Promise<Appended> {
    return append(this.#change, path, data, options);
  }

  /**
   * Replaces parts of a file that exists. Readers see all edits or none. The edits, 1 to 1,000 with at most 1 MiB of
   * data together, come in rising order of offset and without overlap. Offsets mean little without `etag` or
   * `ifRevision`.
   */
  patch(path: string, edits: readonly Edit[], options: PatchOptions = {}): Promise<MutationResult> {
    return patch(this.#change, path, edits, options);
  }

  /** Changes mode, time or extended attributes of a file, as one revision. */
  setAttributes(path: string, options: AttributeOptions): Promise<MutationResult> {
    return setAttributes(this.#change, path, options);
  }

  /**
   * Moves a file or directory, atomically; missing parents of the target are made. A directory moves with at most
   * 1,000 files and directories in it, to where nothing is. `etag` and `ifRevision` are about the source.
   */
  move(source: string, target: string, options: MoveOptions = {}): Promise<Moved> {
    return move(this.#change, source, target, options);
  }

  /** Copies a file, or one of its revisions; missing parents of the target are made. */
  copy(source: string, target: string, options: CopyOptions = {}): Promise<MutationResult> {
    return copy(this.#change, source, target, options);
  }

  /** Makes a directory and its missing parents. */
  makeDirectory(path: string, options: MakeDirectoryOptions = {}): Promise<MutationResult> {
    return makeDirectory(this.#change, path, options);
  }

  /**
   * Up to 1,000 changes on many paths: all are committed or none is, also across crashes. The steps come as a
   * `Transaction`, as a function that is given one, or as a list. All preconditions are about the time before.
   *
   *     await client.transaction((tx) => tx.write("a", bytes, { ifRevision: 3 }).move("b", "c").check("d", { etag }));
   */
  transaction(steps: TransactionSource, options: TransactionOptions = {}): Promise<Transacted> {
    return transaction(this.#change, steps, options);
  }

  /** Deletes a file. Its content stays as the revision `backupRevision`. */
  async remove(path: string, options: RemoveOptions = {}): Promise<MutationResult> {
    const recursive = options.recursive ?? false;
    const { result } = await this.#change(FileOpsService.method.deleteFile, options, (carried) => ({
      ...carried,
      path,
      recursive,
    }));
    return present(result);
  }

  /**
   * The changes of a file or tree as they are committed, in order per path, until `signal` is aborted. The first
   * message comes at once: whatever is committed after it is seen. Goes on by itself after a break.
   */
  watch(path = "", options: FileWatchOptions = {}): AsyncGenerator<WatchFilesResponse> {
    return watchFiles(this.#channel, this.#volume(options), path, options);
  }

  /** The revisions of a path, newest first, over all pages. */
  async *revisions(path: string, options: Omit<ListOptions, "recursive"> = {}): AsyncGenerator<Revision> {
    const request = { volume: this.#volume(options), path, pageSize: options.pageSize ?? PAGE_SIZE };
    const ask = (pageToken: string) =>
      this.call(RecoveryService.method.listRevisions, { ...request, pageToken }, options);
    for await (const page of pages(ask)) yield* page.revisions;
  }

  /** The content of a revision at once. 0 is the newest. */
  async readRevision(
    path: string,
    revision: number | bigint,
    options: WholeReadOptions = {},
  ): Promise<{ bytes: Uint8Array; revision: Revision }> {
    const request = { volume: this.#volume(options), path, revision: BigInt(revision), ...rangeOf(options) };
    const start = () => this.#channel.serverStream(RecoveryService.method.readRevision, request);
    const { bytes, header } = await this.#whole(path, options, start);
    return { bytes, revision: present(header.revision) };
  }

  /** The content of a revision of any size, as it arrives; also of a file that is deleted now. 0 is the newest. */
  downloadRevision(path: string, revision: number | bigint, options: ReadOptions = {}): Promise<Download> {
    const request = { volume: this.#volume(options), path, revision: BigInt(revision), ...rangeOf(options) };
    return this.#open(path, options, () => this.#channel.serverStream(RecoveryService.method.readRevision, request));
  }

  /** Makes an earlier revision the live file again, as a new revision. */
  async rollback(path: string, revision: number | bigint, options: ChangeOptions = {}): Promise<MutationResult> {
    const { result } = await this.#change(RecoveryService.method.rollbackFile, options, (carried) => ({
      ...carried,
      path,
      revision: BigInt(revision),
    }));
    return present(result);
  }

  /** Starts to restore a file or a tree, and returns at once. */
  startRestore(path: string, options: RestoreOptions): Promise<StartRestoreResponse> {
    const request = restoreRequest(path, this.#volume(options), options);
    return this.#channel.unary(RecoveryService.method.startRestore, request, this.#context(options, request.requestId));
  }

  /** The events of a restore until it ends, also across a restart of the server. */
  watchRestore(restoreId: string, options: WatchOptions = {}): AsyncGenerator<WatchRestoreResponse> {
    return watchRestore(this.#channel, restoreId, options);
  }

  /** Builds the index again from the volume. */
  rebuildIndex(options: CallOptions = {}): Promise<RebuildIndexResponse> {
    const request = { volume: this.#volume(options) };
    return this.call(RecoveryService.method.rebuildIndex, request, { deadlineMs: REBUILD_DEADLINE_MS, ...options });
  }

  /** What went wrong, and what became of it, newest first, over all pages. */
  async *incidents(options: IncidentsOptions = {}): AsyncGenerator<Incident> {
    const { unresolvedOnly = false, pageSize = PAGE_SIZE } = options;
    const request = { volume: this.#volume(options), unresolvedOnly, pageSize };
    const ask = (pageToken: string) =>
      this.call(RecoveryService.method.listIncidents, { ...request, pageToken }, options);
    for await (const page of pages(ask)) yield* page.incidents;
  }

  /** Incidents as they happen, from now or a token on, also across a restart of the server. Ends with its signal. */
  watchEvents(options: EventsOptions = {}): AsyncGenerator<WatchEventsResponse> {
    return watchEvents(this.#channel, this.#volume(options), options);
  }

  /**
   * Takes a replica out: it finishes what is under way, then ends. Named by its incarnation, so that a repeated call
   * cannot reach another one. `reason` is for its log.
   */
  drain(incarnation: string, reason: string, options: DrainOptions = {}): Promise<DrainReplicaResponse> {
    const { drainWaitMs } = options;
    const wait = drainWaitMs === undefined ? {} : { drainWait: durationFromMs(drainWaitMs) };
    const deadlineMs = (options.deadlineMs ?? this.#options.deadlineMs ?? DEADLINE_MS) + (drainWaitMs ?? 0);
    return this.call(AdminService.method.drainReplica, { incarnation, reason, ...wait }, { ...options, deadlineMs });
  }

  /**
   * Any other unary RPC, by its generated descriptor: `client.call(AdminService.method.getReport, {})`. It is
   * repeated while the service is UNAVAILABLE, so give a change its `options.requestId`.
   */
  call<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
    options: CallOptions = {},
  ): Promise<MessageShape<O>> {
    return this.#channel.unary(method, request, this.#context(options, undefined));
  }

  /** Ends the connection. Calls that are under way finish. */
  close(): void {
    this.#channel.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  readonly #change: Change = async (method, options, request) => {
    const carried = { volume: this.#volume(options), options: mutationOptions(options) };
    return this.#channel.unary(method, request(carried), this.#context(options, carried.options.requestId));
  };

  #open(path: string, { signal }: CallOptions, start: () => Parameters<typeof Download.open>[0]): Promise<Download> {
    return this.#repeated(signal, () => Download.open(start(), { path, idleMsMax: this.#idleMsMax, signal }));
  }

  #whole(
    path: string,
    { signal, bytesMax = WHOLE_BYTES_MAX }: WholeReadOptions,
    start: () => Parameters<typeof receiveWhole>[0],
  ): Promise<Whole> {
    const options = { path, idleMsMax: this.#idleMsMax, signal, bytesMax };
    return this.#repeated(signal, () => receiveWhole(start(), options));
  }

  /** Until it ends nothing was given to the caller, so it may be repeated. */
  async #repeated<T>(signal: AbortSignal | undefined, attempt: () => Promise<T>): Promise<T> {
    const retry = this.#channel.retry();
    for (;;) {
      try {
        return await attempt();
      } catch (failure) {
        await retry.after(failure, signal);
      }
    }
  }

  #context(options: ChangeOptions, requestId: string | undefined): CallContext {
    return { deadlineMs: this.#deadlineMs(options), signal: options.signal, requestId };
  }

  #deadlineMs({ deadlineMs, lockWaitMs }: ChangeOptions): number {
    return deadlineMs ?? (this.#options.deadlineMs ?? DEADLINE_MS) + (lockWaitMs ?? 0);
  }

  get #idleMsMax(): number {
    return this.#options.idleMs ?? IDLE_MS_MAX;
  }

  #volume({ volume }: CallOptions): string {
    return volume ?? this.#options.volume ?? "";
  }
}
