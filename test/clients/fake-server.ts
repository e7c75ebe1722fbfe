/**
 * A FAKE of the service, for the edges of the clients only: answers that a healthy server never gives, at moments
 * that cannot be timed with a real one. It keeps files in memory and promises nothing. That a client works with
 * the service is shown by test/system/, against the real one.
 */
import { createHash } from "node:crypto";
import { create, type DescMethod, type DescService, fromBinary, type Message, toBinary } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import * as grpc from "@grpc/grpc-js";
import {
  type FileInfo,
  FileInfoSchema,
  FileType,
  type MutationOptions,
  MutationResultSchema,
  type Revision,
  RevisionKind,
  RevisionSchema,
} from "../../services/gen/safefile/v1/common_pb.js";
import {
  type DeleteFileRequest,
  FileOpsService,
  type ListFilesRequest,
  type ReadFileRequest,
  type StatFileRequest,
  type UploadFileRequest,
  type WriteFileRequest,
} from "../../services/gen/safefile/v1/file_ops_service_pb.js";
import {
  type ListRevisionsRequest,
  RecoveryService,
  type RollbackFileRequest,
} from "../../services/gen/safefile/v1/recovery_service_pb.js";
import type { Cleanup } from "../cluster/cleanup.js";
import { fault } from "./fault.js";

// biome-ignore lint/suspicious/noExplicitAny: one table for calls of all four kinds
type Call = any;
type Reply = (error: grpc.ServiceError | null, answer?: object) => void;
export type Handler = (call: Call, reply: Reply) => void;

interface Stored {
  readonly bytes: Buffer | undefined;
  readonly mode: number;
  readonly kind: RevisionKind;
}

export interface Seen {
  readonly method: string;
  readonly requestId: string;
  readonly traceparent: string | undefined;
}

export class FakeServer {
  readonly files = new Map<string, Stored[]>();
  /** Every call in order. */
  readonly seen: Seen[] = [];
  readonly #server = new grpc.Server({ "grpc.max_receive_message_length": 8 * 1024 * 1024 });
  readonly #planted = new Map<string, Handler[]>();
  readonly #handlers: Record<string, Handler> = handlers(this);
  address = "";

  static async start(cleanup: Cleanup): Promise<FakeServer> {
    const fake = new FakeServer();
    for (const service of [FileOpsService, RecoveryService] as DescService[]) {
      const known = service.methods.filter((method) => fake.#handlers[method.name] !== undefined);
      fake.#server.addService(
        Object.fromEntries(known.map((method) => [method.localName, definition(method)])),
        Object.fromEntries(known.map((method) => [method.localName, fake.#dispatch(method.name)])),
      );
    }
    const port = await new Promise<number>((resolve, reject) => {
      fake.#server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, bound) =>
        error === null ? resolve(bound) : reject(error),
      );
    });
    fake.address = `127.0.0.1:${port}`;
    cleanup.defer(() => fake.#server.forceShutdown());
    return fake;
  }

  /** Handles the next call of this method instead, once. */
  plant(method: string, ...handler: Handler[]): this {
    this.#planted.set(method, [...(this.#planted.get(method) ?? []), ...handler]);
    return this;
  }

  /** What it does with calls of this method for which nothing is planted. */
  original(method: string): Handler {
    return this.#handlers[method]!;
  }

  /** A fault that was never hit fails the test that planted it. */
  get unhit(): string[] {
    return [...this.#planted].filter(([, left]) => left.length > 0).map(([method]) => method);
  }

  calls(method: string): Seen[] {
    return this.seen.filter((seen) => seen.method === method);
  }

  /** As if somebody had written it before. */
  put(path: string, bytes: Uint8Array | string, mode = 0o644): void {
    this.commit(path, { bytes: Buffer.from(bytes), mode, kind: RevisionKind.WRITE });
  }

  commit(path: string, stored: Stored): void {
    this.files.set(path, [...(this.files.get(path) ?? []), stored]);
  }

  head(path: string): Stored | undefined {
    return this.files.get(path)?.at(-1);
  }

  #dispatch(method: string): Handler {
    return (call, reply) => {
      const request = call.request as { options?: MutationOptions; requestId?: string } | undefined;
      this.seen.push({
        method,
        requestId: request?.options?.requestId ?? request?.requestId ?? "",
        traceparent: (call.metadata as grpc.Metadata).get("traceparent")[0]?.toString(),
      });
      const handler = this.#planted.get(method)?.shift() ?? this.#handlers[method]!;
      try {
        handler(call, reply);
      } catch (error) {
        if (reply === undefined) call.emit("error", error);
        else reply(error as grpc.ServiceError);
      }
    };
  }
}

const unplanted: Handler = () => {
  throw fault(grpc.status.INTERNAL, "INTERNAL", "the fake has nothing planted for this call");
};

function handlers(fake: FakeServer): Record<string, Handler> {
  const file = (path: string) => {
    const stored = fake.head(path);
    if (stored?.bytes === undefined) throw notFound(path);
    return fileInfo(fake, path);
  };
  const change = (path: string, options: MutationOptions | undefined, stored: Stored, reply: Reply) => {
    const before = fake.files.get(path)?.length ?? 0;
    const wanted = options?.precondition?.ifRevision;
    if (wanted !== undefined && Number(wanted) !== before) throw conflict(path, before);
    if (options?.validateOnly !== true) fake.commit(path, stored);
    const after = stored.bytes === undefined ? {} : { file: fileInfo(fake, path) };
    reply(null, {
      result: create(MutationResultSchema, {
        ...after,
        revision: revisionOf(fake, path, before + 1),
        backupRevision: BigInt(before),
        operationId: `FAKE.${before + 1}`,
        requestId: options?.requestId ?? "",
      }),
    });
  };
  return {
    StatFile: (call, reply) => reply(null, { file: file((call.request as StatFileRequest).path) }),
    ListFiles(call, reply) {
      const { path, pageSize, pageToken } = call.request as ListFilesRequest;
      const below = [...fake.files.keys()].filter((name) => path === "" || name.startsWith(`${path}/`)).sort();
      const start = Number(pageToken || "0");
      const end = start + (pageSize || 100);
      const files = below.slice(start, end).filter((name) => fake.head(name)?.bytes !== undefined);
      reply(null, {
        files: files.map((name) => fileInfo(fake, name)),
        nextPageToken: end < below.length ? String(end) : "",
      });
    },
    ReadFile(call) {
      const { path, offset, limit } = call.request as ReadFileRequest;
      const found = file(path);
      send(call, { file: found }, fake.head(path)!.bytes!, Number(offset), Number(limit));
    },
    ReadRevision(call) {
      const { path, revision, offset, limit } = call.request;
      const stored = fake.files.get(path)?.[Number(revision) - 1];
      if (stored?.bytes === undefined) throw fault(grpc.status.NOT_FOUND, "BACKUP_VERSION", "no such revision");
      const header = { revision: revisionOf(fake, path, Number(revision)) };
      send(call, header, stored.bytes, Number(offset), Number(limit));
    },
    WriteFile(call, reply) {
      const { path, options, data, mode } = call.request as WriteFileRequest;
      const stored = { bytes: Buffer.from(data), mode: mode ?? 0o644, kind: RevisionKind.WRITE };
      change(path, options, stored, reply);
    },
    UploadFile(call, reply) {
      const chunks: Uint8Array[] = [];
      let start = 0n;
      let header: Extract<UploadFileRequest["part"], { case: "header" }>["value"] | undefined;
      call.on("data", ({ part }: UploadFileRequest) => {
        if (part.case === "header") header = part.value;
        else if (part.case === "chunk") {
          if (chunks.length === 0) start = part.value.offset;
          chunks.push(Buffer.from(part.value.data));
        }
      });
      call.on("end", () => {
        // It keeps nothing of a broken upload.
        if (start > 0n || (chunks.length === 0 && (header?.sizeBytes ?? 0n) > 0n)) {
          const metadata = { upload_offset: "0", outcome: "NOT_COMMITTED" };
          reply(fault(grpc.status.INVALID_ARGUMENT, "ARGUMENT_INVALID", "go on from byte 0", { metadata }));
          return;
        }
        const stored = { bytes: Buffer.concat(chunks), mode: header?.mode ?? 0o644, kind: RevisionKind.WRITE };
        try {
          change(header?.path ?? "", header?.options, stored, reply);
        } catch (error) {
          reply(error as grpc.ServiceError);
        }
      });
    },
    DeleteFile(call, reply) {
      const { path, options } = call.request as DeleteFileRequest;
      file(path);
      change(path, options, { bytes: undefined, mode: 0, kind: RevisionKind.DELETE }, reply);
    },
    ListRevisions(call, reply) {
      const { path } = call.request as ListRevisionsRequest;
      const count = fake.files.get(path)?.length ?? 0;
      if (count === 0) throw notFound(path);
      reply(null, { revisions: Array.from({ length: count }, (_, at) => revisionOf(fake, path, count - at)) });
    },
    // These are only ever planted.
    AppendFile: unplanted,
    PatchFile: unplanted,
    SetAttributes: unplanted,
    MoveFile: unplanted,
    CopyFile: unplanted,
    MakeDirectory: unplanted,
    ExecuteTransaction: unplanted,
    WriteFiles: unplanted,
    RollbackFile(call, reply) {
      const { path, options, revision } = call.request as RollbackFileRequest;
      const stored = fake.files.get(path)?.[Number(revision) - 1];
      if (stored?.bytes === undefined) throw fault(grpc.status.NOT_FOUND, "BACKUP_VERSION", "no such revision");
      change(path, options, { ...stored, kind: RevisionKind.ROLLBACK }, reply);
    },
    StartRestore: (call, reply) => reply(null, { restoreId: "FAKE-RESTORE", requestId: call.request.requestId }),
    WatchRestore: (call) => call.end(),
    RebuildIndex: (_call, reply) => reply(null, { paths: BigInt(fake.files.size), revisions: 0n }),
  };
}

const CHUNK_BYTES = 64 * 1024;

function send(call: Call, header: object, bytes: Buffer, offset: number, limit: number): void {
  const end = limit === 0 ? bytes.length : Math.min(bytes.length, offset + limit);
  const part = bytes.subarray(offset, end);
  call.write({
    part: { case: "header", value: { ...header, offset: BigInt(offset), sizeBytes: BigInt(part.length) } },
  });
  for (let at = 0; at < part.length; at += CHUNK_BYTES) {
    const value = { data: part.subarray(at, at + CHUNK_BYTES), offset: BigInt(offset + at) };
    call.write({ part: { case: "chunk", value } });
  }
  const whole = part.length === bytes.length;
  const sha256 = whole ? sha256Of(bytes) : new Uint8Array();
  call.write({ part: { case: "trailer", value: { sha256, sizeBytes: BigInt(part.length) } } });
  call.end();
}

export function fileInfo(fake: FakeServer, path: string): FileInfo {
  const stored = fake.head(path)!;
  const revision = fake.files.get(path)!.length;
  return create(FileInfoSchema, {
    volume: "fake",
    path,
    type: FileType.FILE,
    sizeBytes: BigInt(stored.bytes?.length ?? 0),
    mode: stored.mode,
    updateTime: timestampFromDate(new Date(0)),
    etag: `"${revision}"`,
    revision: BigInt(revision),
    operationId: `FAKE.${revision}`,
    ...(stored.bytes === undefined ? {} : { sha256: sha256Of(stored.bytes) }),
  });
}

function revisionOf(fake: FakeServer, path: string, revision: number): Revision {
  const stored = fake.files.get(path)?.[revision - 1];
  return create(RevisionSchema, {
    volume: "fake",
    path,
    revision: BigInt(revision),
    operationId: `FAKE.${revision}`,
    kind: stored?.kind ?? RevisionKind.WRITE,
    baseRevision: BigInt(revision - 1),
    sizeBytes: BigInt(stored?.bytes?.length ?? 0),
    mode: stored?.mode ?? 0,
    createTime: timestampFromDate(new Date(0)),
    ...(stored?.bytes === undefined ? {} : { sha256: sha256Of(stored.bytes) }),
  });
}

function notFound(path: string): grpc.ServiceError {
  return fault(grpc.status.NOT_FOUND, "PATH_NOT_FOUND", `There is no file at ${path}. Nothing was changed.`, {
    metadata: { path, outcome: "NOT_COMMITTED" },
    resource: { resourceType: "safefile/file", resourceName: path },
  });
}

function conflict(path: string, found: number): grpc.ServiceError {
  return fault(grpc.status.ABORTED, "PRECONDITION_FAILED", `${path} is revision ${found}: somebody changed it.`, {
    metadata: { path, revision: String(found), outcome: "NOT_COMMITTED", stage: "validate" },
    conditions: [{ type: "if_revision", subject: path, description: `found ${found}` }],
  });
}

function sha256Of(bytes: Uint8Array): Buffer {
  return createHash("sha256").update(bytes).digest();
}

function definition(method: DescMethod): grpc.MethodDefinition<Message, object> {
  const encode = (message: object) =>
    Buffer.from(toBinary(method.output, create(method.output, message as Record<string, unknown>)));
  return {
    path: `/${method.parent.typeName}/${method.name}`,
    requestStream: method.methodKind === "client_streaming" || method.methodKind === "bidi_streaming",
    responseStream: method.methodKind === "server_streaming" || method.methodKind === "bidi_streaming",
    requestSerialize: (message) => Buffer.from(toBinary(method.input, message)),
    requestDeserialize: (bytes) => fromBinary(method.input, bytes),
    responseSerialize: encode,
    responseDeserialize: (bytes) => fromBinary(method.output, bytes),
  };
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}
