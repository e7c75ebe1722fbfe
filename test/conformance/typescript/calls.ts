import { createReadStream } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import {
  type CallOptions,
  type ChangeOptions,
  type Edit,
  FileInfoSchema,
  MutationResultSchema,
  RestoreSchema,
  RevisionSchema,
  TransactionItemSchema,
  type TransactionStep,
  type UploadSource,
  WatchFilesResponseSchema,
  WatchRestoreResponseSchema,
} from "@safefile/client";
import { bytesOf } from "../match.js";
import { allOf, contentFacts, json } from "./facts.js";
import { type Party, Watching } from "./party.js";

/** Arguments are the suite's, which knows what each verb takes: the wire is what is typed. */
// biome-ignore lint/suspicious/noExplicitAny: JSON of the suite
export type Args = any;
export type Call = (party: Party, args: Args, options: CallOptions) => Promise<object>;

/** Options as the client has them: what was not given stays away. */
function change(args: Args, options: CallOptions): ChangeOptions {
  const names = ["requestId", "validateOnly", "etag", "ifRevision", "lockWaitMs", "priority", "labels", "lockId"];
  const given = [...names, "mode"].filter((name) => name in args).map((name) => [name, args[name]]);
  return { ...options, ...Object.fromEntries(given) };
}

const target = ({ overwrite, targetIfRevision, targetEtag }: Args) => ({
  overwrite: overwrite ?? false,
  targetPrecondition: {
    ...(targetEtag === undefined ? {} : { etag: targetEtag }),
    ...(targetIfRevision === undefined ? {} : { ifRevision: targetIfRevision }),
  },
});
const editsOf = (edits: Args): Edit[] =>
  edits.map(({ offset, length, content }: Args) => ({ offset, length, data: bytesOf(content) }));
const attributes = ({ mode, updateTime, setXattrs, removeXattrs }: Args) => ({
  ...(mode === undefined ? {} : { mode }),
  ...(updateTime === undefined ? {} : { modifiedTime: new Date(updateTime) }),
  ...(setXattrs === undefined
    ? {}
    : {
        setXattrs: Object.fromEntries(
          Object.entries(setXattrs).map(([name, text]) => [name, Buffer.from(String(text))]),
        ),
      }),
  ...(removeXattrs === undefined ? {} : { removeXattrs }),
});
const result = (message: Args) => ({ result: json(MutationResultSchema, message) });

async function* pieces(bytes: Buffer, failAfterBytes: number | undefined) {
  const PIECE_BYTES = 64 * 1024;
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
    const end = Math.min(bytes.length, at + PIECE_BYTES, failAfterBytes ?? bytes.length);
    yield bytes.subarray(at, end);
    if (end === failAfterBytes) throw new Error("the source failed");
  }
}

async function upload({ client }: Party, args: Args, options: CallOptions): Promise<object> {
  const { path: name, content, source = "bytes", declare = true, sha256, sizeBytes, uploadId, failAfterBytes } = args;
  const bytes = bytesOf(content);
  const resumedAt: number[] = [];
  let sentBytes = 0;
  const directory = source === "file" ? await mkdtemp(path.join(tmpdir(), "safefile-driver-")) : undefined;
  try {
    const file = path.join(directory ?? "", "content");
    if (directory !== undefined) await writeFile(file, bytes);
    const sources: Record<string, () => UploadSource> = {
      bytes: () => (failAfterBytes === undefined ? bytes : () => pieces(bytes, failAfterBytes)),
      file: () => () => createReadStream(file),
      stream: () => pieces(bytes, failAfterBytes),
    };
    const declared = declare && source !== "bytes" ? { sizeBytes: bytes.length } : {};
    const message = await client.upload(name, sources[source]!(), {
      ...change(args, options),
      ...declared,
      ...(sizeBytes === undefined ? {} : { sizeBytes }),
      ...(sha256 === undefined ? {} : { sha256: Buffer.from(sha256, "hex") }),
      ...(uploadId === undefined ? {} : { uploadId }),
      onProgress: (sent) => {
        sentBytes = sent;
      },
      onResumed: (offset) => resumedAt.push(offset),
    });
    return { ...result(message), resumedAt, sentBytes };
  } finally {
    if (directory !== undefined) await rm(directory, { recursive: true });
  }
}

async function download({ client }: Party, args: Args, options: CallOptions): Promise<object> {
  const { path: name, offset, limit, pauseMs, stopAfterBytes } = args;
  const opened = await client.download(name, { ...options, offset, limit });
  if (stopAfterBytes !== undefined) {
    let taken = 0;
    for await (const piece of opened) {
      taken += piece.length;
      if (taken >= stopAfterBytes) break;
    }
    return {};
  }
  async function* slowly() {
    for await (const piece of opened) {
      if (pauseMs !== undefined) await sleep(pauseMs);
      yield piece;
    }
  }
  return { content: await contentFacts(slowly()), file: json(FileInfoSchema, opened.file) };
}

function stepOf({ action, path: name, etag, ifRevision, content, edits, ...rest }: Args): TransactionStep {
  const condition = {
    ...(etag === undefined ? {} : { etag }),
    ...(ifRevision === undefined ? {} : { ifRevision }),
  };
  const step = {
    ...condition,
    ...target(rest),
    ...attributes(rest),
    ...rest,
    action,
    path: name,
    ...(content === undefined ? {} : { data: bytesOf(content) }),
    ...(edits === undefined ? {} : { edits: editsOf(edits) }),
    ...("setXattrs" in rest ? { setXattrs: attributes(rest).setXattrs } : {}),
  };
  return step as TransactionStep;
}

export const CALLS: Readonly<Record<string, Call>> = {
  stat: async ({ client }, args, options) => ({ file: json(FileInfoSchema, await client.stat(args.path, options)) }),
  list: async ({ client }, { path: name, ...rest }, options) => {
    const files = await allOf(client.list(name, { ...options, ...rest }));
    return { files: files.map((file) => json(FileInfoSchema, file)) };
  },
  read: async ({ client }, { path: name, ...rest }, options) => {
    const { bytes, file } = await client.read(name, { ...options, ...rest });
    return { file: json(FileInfoSchema, file), content: await contentFacts([bytes]) };
  },
  download,
  write: async ({ client }, args, options) =>
    result(await client.write(args.path, bytesOf(args.content), change(args, options))),
  upload,
  append: async ({ client }, args, options) => {
    const appended = await client.append(args.path, bytesOf(args.content), change(args, options));
    return { ...result(appended.result), offset: appended.offset };
  },
  patch: async ({ client }, args, options) =>
    result(await client.patch(args.path, editsOf(args.edits), change(args, options))),
  setAttributes: async ({ client }, args, options) =>
    result(await client.setAttributes(args.path, { ...change(args, options), ...attributes(args) })),
  move: async ({ client }, args, options) => {
    const moved = await client.move(args.path, args.target, { ...change(args, options), ...target(args) });
    return { ...result(moved.result), sourceRevision: json(RevisionSchema, moved.sourceRevision) };
  },
  copy: async ({ client }, args, options) => {
    const revision = args.revision === undefined ? {} : { revision: args.revision };
    return result(
      await client.copy(args.path, args.target, { ...change(args, options), ...target(args), ...revision }),
    );
  },
  makeDirectory: async ({ client }, args, options) =>
    result(
      await client.makeDirectory(args.path, { ...change(args, options), allowExisting: args.allowExisting ?? false }),
    ),
  remove: async ({ client }, args, options) =>
    result(await client.remove(args.path, { ...change(args, options), recursive: args.recursive ?? false })),
  transaction: async ({ client }, args, options) => {
    const done = await client.transaction(args.steps.map(stepOf), change(args, options));
    const items = done.items.map(({ file, revision, backupRevision }) =>
      json(
        TransactionItemSchema,
        create(TransactionItemSchema, {
          ...(file === undefined ? {} : { file }),
          ...(revision === undefined ? {} : { revision }),
          backupRevision,
        }),
      ),
    );
    return { ...result(done.result), items };
  },
  revisions: async ({ client }, { path: name, ...rest }, options) => {
    const revisions = await allOf(client.revisions(name, { ...options, ...rest }));
    return { revisions: revisions.map((revision) => json(RevisionSchema, revision)) };
  },
  readRevision: async ({ client }, { path: name, revision, ...rest }, options) => {
    const found = await client.readRevision(name, revision, { ...options, ...rest });
    return { revision: json(RevisionSchema, found.revision), content: await contentFacts([found.bytes]) };
  },
  rollback: async ({ client }, args, options) =>
    result(await client.rollback(args.path, args.revision, change(args, options))),
  startRestore: async ({ client }, { path: name, asOfTime, asOfOperation, ...rest }, options) => {
    const asOf = asOfTime === undefined ? { operation: asOfOperation } : new Date(asOfTime);
    const { restoreId, restore } = await client.startRestore(name, { ...options, ...rest, asOf });
    return { restoreId, restore: json(RestoreSchema, restore) };
  },
  watchRestore: async ({ client }, { restoreId, cursor }, options) => {
    const given = { ...options, ...(cursor === undefined ? {} : { cursor }) };
    const events = await allOf(client.watchRestore(restoreId, given));
    return { events: events.map((event) => json(WatchRestoreResponseSchema, event)) };
  },
  watch: async ({ client, watches }, { path: name, handle, ...rest }, options) => {
    const watching = new Watching((signal) => client.watch(name, { ...options, ...rest, signal }));
    watches.set(handle, watching);
    await watching.begun;
    return {};
  },
  watchNext: async ({ watches }, { handle, changes }) => {
    const events = await watches.get(handle)!.next(changes);
    return { events: events.map((event) => json(WatchFilesResponseSchema, event)) };
  },
  watchStop: async ({ watches }, { handle }) => {
    watches.get(handle)?.stop();
    watches.delete(handle);
    return {};
  },
};
