import { createHash, randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { hostname, userInfo } from "node:os";
import { resolve } from "node:path";
import { isReason, type MutationResult } from "@safefile/client";
import { baseName, type CommandContext, count, filePath, volumePath } from "./command-context.js";
import { CliError, EXIT, failureOf } from "./failure.js";
import { fileOf, type LocalFile, type LocalTree, walkLocal } from "./local-tree.js";
import { eachParallel } from "./pool.js";
import { Progress } from "./progress.js";
import { hex, resultDocument, sizeText } from "./shown.js";

export interface PutOptions {
  readonly recursive?: boolean;
  /** Skip what is there already, by SHA-256 and mode. */
  readonly ifChanged?: boolean;
  readonly parallel: number;
  readonly requestId?: string;
  readonly mode?: number;
  readonly ifRevision?: number;
  readonly etag?: string;
  readonly label?: Readonly<Record<string, string>>;
  readonly lockId?: string;
}

/** What fits into one WriteFile; more is streamed. */
const WRITE_BYTES_MAX = 1024 * 1024;
const READ_BYTES = 256 * 1024;

/** `put LOCAL PATH` */
export async function put(context: CommandContext, local: string, target: string, options: PutOptions): Promise<void> {
  if (local === "-") return putStdin(context, filePath(target), options);
  const found = await stat(local, { bigint: true });
  if (found.isDirectory()) {
    if (options.recursive !== true) {
      throw new CliError(`${local} is a directory: add -r to put all files below it`, EXIT.usage);
    }
    if (options.ifRevision !== undefined || options.etag !== undefined) {
      throw new CliError("--if-revision and --etag are about one file, not about a tree", EXIT.usage);
    }
    return putTree(context, local, volumePath(target), options);
  }
  if (!found.isFile()) throw new CliError(`${local} is not a regular file`, EXIT.usage);
  const into = target.endsWith("/") ? `${target}${baseName(local)}` : target;
  return putFile(context, fileOf(local, filePath(into), found), options);
}

async function putStdin({ client, output, signal }: CommandContext, path: string, options: PutOptions): Promise<void> {
  const change = { ...changeOptions(options), requestId: options.requestId ?? randomUUID(), signal };
  const mode = options.mode === undefined ? {} : { mode: options.mode };
  const result = await client.upload(path, process.stdin, { ...change, ...mode });
  await output.result(resultDocument(result), committed(path, result));
}

async function putFile(context: CommandContext, file: LocalFile, options: PutOptions): Promise<void> {
  const { output } = context;
  const long = file.sizeBytes > WRITE_BYTES_MAX;
  const progress = long ? new Progress(output, baseName(file.relative), context.progress) : undefined;
  const totals = { filesTotal: 1, bytesTotal: file.sizeBytes };
  const { result, sha256, ...resumed } = await send(
    context,
    file,
    file.relative,
    options,
    options.requestId ?? randomUUID(),
    (bytesDone) => void progress?.update({ ...totals, filesDone: bytesDone === file.sizeBytes ? 1 : 0, bytesDone }),
  ).finally(() => progress?.stop());
  if (result === undefined) {
    const document = { path: file.relative, unchanged: true, sha256 };
    await output.result(document, `${file.relative} is unchanged`);
  } else await output.result({ ...resultDocument(result), ...resumed }, committed(file.relative, result));
}

async function putTree(context: CommandContext, local: string, target: string, options: PutOptions): Promise<void> {
  const { output, signal } = context;
  // One id for the run; each file's own follows from it, so that a rerun with it writes nothing twice.
  const run = options.requestId ?? randomUUID();
  const tree = await walkLocal(local, signal);
  const bytesTotal = tree.files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const progress = new Progress(output, `put ${target || "."}`, context.progress);
  const done = { files: 0, bytes: 0, written: 0, unchanged: 0, failed: 0, exitCode: EXIT.ok as number };
  let unansweredInRow = 0;
  // Nothing answers: the files left would fail the same way, each after its own repeats.
  const gaveUp = () => unansweredInRow >= options.parallel;
  const show = (more = 0) =>
    progress.update({
      filesTotal: tree.files.length,
      filesDone: done.files,
      bytesTotal,
      bytesDone: done.bytes + more,
    });
  try {
    await eachParallel(tree.files, options.parallel, async (file) => {
      if (signal.aborted || gaveUp()) return;
      const path = target === "" ? file.relative : `${target}/${file.relative}`;
      try {
        const { result, resumedAtBytes } = await send(
          context,
          file,
          path,
          options,
          fileRequestId(run, path, file),
          (sent) => void show(sent),
        );
        if (result === undefined) done.unchanged++;
        else done.written++;
        unansweredInRow = 0;
        const state = result === undefined ? "unchanged" : "written";
        const revision = Number(result?.revision?.revision ?? 0);
        const details = { ...(result ? { revision } : {}), ...(resumedAtBytes ? { resumedAtBytes } : {}) };
        await output.item({ event: "file", path, state, sizeBytes: file.sizeBytes, ...details });
      } catch (error) {
        const failure = failureOf(error, context.address);
        if (failure.exitCode === EXIT.unavailable && done.written + done.unchanged === 0) throw error;
        unansweredInRow = failure.code === "UNAVAILABLE" ? unansweredInRow + 1 : 0;
        done.failed++;
        done.exitCode = Math.max(done.exitCode, failure.exitCode);
        await output.item({ event: "file", path, state: "failed", error: failure });
        output.note(
          `safefile: ${path}: ${failure.message}${failure.reason === undefined ? "" : ` [${failure.reason}]`}`,
        );
      }
      done.files++;
      done.bytes += file.sizeBytes;
      await show();
    });
  } finally {
    progress.stop();
  }
  const failed = done.failed + tree.collisions.length;
  await output.item(
    {
      event: "end",
      files: tree.files.length,
      bytes: bytesTotal,
      written: done.written,
      unchanged: done.unchanged,
      failed,
      skippedSymlinks: tree.symlinks,
      skippedOthers: tree.others,
      skippedEmptyDirectories: tree.emptyDirectories,
      collisions: tree.collisions,
      interrupted: signal.aborted || gaveUp(),
      requestId: run,
    },
    summary(done, bytesTotal, tree),
  );
  if (failed === 0 && !signal.aborted) return;
  const ended = signal.aborted ? "Interrupted" : gaveUp() ? "Gave up, because the service no longer answers," : "";
  const left = `${count(failed, "file")} failed.`;
  const sentence = ended === "" ? left : `${ended} after ${done.files} of ${tree.files.length} files; ${left}`;
  throw new CliError(
    `${sentence} Run the same command again with --request-id ${run}: files that are there are not written again.`,
    // A name collision alone is no conflict with anybody else.
    done.exitCode === EXIT.ok ? EXIT.failed : done.exitCode,
  );
}

/** What became of one file. */
interface Sent {
  /** Undefined when the service has the file already. */
  readonly result?: MutationResult;
  readonly sha256?: string;
  /** Where an upload went on that had been broken off, by this command or an earlier one. */
  readonly resumedAtBytes?: number;
}

/** Writes one file unless it need not be. */
async function send(
  { client, output, signal }: CommandContext,
  file: LocalFile,
  path: string,
  options: PutOptions,
  requestId: string,
  onProgress: (sentBytes: number) => void,
): Promise<Sent> {
  const mode = options.mode ?? file.mode;
  const change = { ...changeOptions(options), requestId, mode, signal };
  if (file.sizeBytes <= WRITE_BYTES_MAX) {
    const bytes = await readFile(file.local);
    const sha256 = createHash("sha256").update(bytes).digest();
    if (options.ifChanged && (await isThere(client, path, sha256, mode, signal))) return { sha256: hex(sha256) };
    return { result: await client.write(path, bytes, change) };
  }
  const source = () => createReadStream(file.local, { highWaterMark: READ_BYTES });
  // Read twice, so that the server can refuse a file that changes while it is sent.
  const sha256 = await digestOf(source());
  if (options.ifChanged && (await isThere(client, path, sha256, mode, signal))) return { sha256: hex(sha256) };
  let resumed: { readonly resumedAtBytes?: number } = {};
  const onResumed = (offset: number): void => {
    resumed = { resumedAtBytes: offset };
    output.note(`safefile: ${path}: resumed at ${sizeText(offset)} of ${sizeText(file.sizeBytes)}`);
    onProgress(offset);
  };
  const uploadId = uploadIdOf(file, sha256);
  const sizes = { sizeBytes: file.sizeBytes, sha256 };
  const result = await client.upload(path, source, { ...change, ...sizes, uploadId, onProgress, onResumed });
  return { result, ...resumed };
}

/**
 * The same for the same command on the same file, so that one that was broken off goes on when it is run again. Of this
 * user and place alone: uploads of others, of whatever content, are not ended by ours.
 */
function uploadIdOf({ local }: LocalFile, sha256: Uint8Array): string {
  const about = JSON.stringify([hostname(), userInfo().uid, resolve(local), hex(sha256)]);
  return `put.${createHash("sha256").update(about).digest("hex")}`;
}

async function isThere(
  client: CommandContext["client"],
  path: string,
  sha256: Uint8Array,
  mode: number,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    const there = await client.stat(path, { signal });
    return hex(there.sha256) === hex(sha256) && there.mode === mode;
  } catch (error) {
    if (isReason(error, "PATH_NOT_FOUND")) return false;
    throw error;
  }
}

async function digestOf(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const hash = createHash("sha256");
  for await (const data of source) hash.update(data);
  return hash.digest();
}

/** The same run, path and state of the file give the same id; another state of the file another one. */
function fileRequestId(run: string, path: string, file: LocalFile): string {
  const about = JSON.stringify([path, file.sizeBytes, String(file.mtimeNs), file.mode]);
  return `${run}.${createHash("sha256").update(about).digest("hex").slice(0, 32)}`;
}

function changeOptions({ ifRevision, etag, label, lockId }: PutOptions) {
  return {
    ...(ifRevision === undefined ? {} : { ifRevision }),
    ...(etag === undefined ? {} : { etag }),
    ...(label === undefined ? {} : { labels: label }),
    ...(lockId === undefined ? {} : { lockId }),
  };
}

function committed(path: string, { revision, backupRevision, replayed }: MutationResult): string {
  const undo = backupRevision > 0n ? `; revision ${backupRevision} holds what was there before` : "";
  const again = replayed ? " (already done by an earlier call)" : "";
  return `${path} is revision ${revision?.revision}${undo}${again}`;
}

function summary(done: { written: number; unchanged: number; failed: number }, bytes: number, tree: LocalTree): string {
  const parts = [`${count(done.written, "file")} written`];
  if (done.unchanged > 0) parts.push(`${done.unchanged} unchanged`);
  if (done.failed > 0) parts.push(`${done.failed} failed`);
  if (tree.symlinks > 0) parts.push(`${count(tree.symlinks, "symlink")} skipped`);
  if (tree.others > 0) parts.push(`${tree.others} other than files skipped`);
  if (tree.emptyDirectories > 0) parts.push(`${tree.emptyDirectories} empty directories skipped`);
  if (tree.collisions.length > 0) parts.push(`${tree.collisions.length} whose name is another's in NFC`);
  return `${parts.join(", ")}; ${sizeText(bytes)}`;
}
