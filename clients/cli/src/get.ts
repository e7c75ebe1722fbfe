import { mkdir, stat } from "node:fs/promises";
import path from "node:path";
import { type Download, type FileInfo, FileType } from "@safefile/client";
import { baseName, type CommandContext, count, filePath, volumePath } from "./command-context.js";
import { CliError, EXIT, failureOf } from "./failure.js";
import { replaceLocal } from "./local-file.js";
import { eachParallel } from "./pool.js";
import { Progress } from "./progress.js";
import { fileDocument, modeText, revisionDocument, sizeText } from "./shown.js";

export interface GetOptions {
  readonly recursive?: boolean;
  readonly revision?: number;
  readonly parallel: number;
}

const MODE_DEFAULT = 0o644;

/** `get PATH LOCAL` */
export async function get(context: CommandContext, source: string, local: string, options: GetOptions): Promise<void> {
  if (options.recursive === true) {
    if (options.revision !== undefined)
      throw new CliError("--revision is about one file, not about a tree", EXIT.usage);
    if (local === "-") throw new CliError("a tree cannot be written to stdout", EXIT.usage);
    return getTree(context, volumePath(source), local, options);
  }
  const from = filePath(source);
  if (local === "-") return cat(context, from, options);
  const into = (await isDirectory(local)) || local.endsWith("/") ? path.join(local, baseName(from)) : local;
  return getFile(context, from, into, options);
}

/** `cat PATH`, and `get PATH -` */
export async function cat(context: CommandContext, source: string, { revision }: Pick<GetOptions, "revision">) {
  const download = await open(context, filePath(source), revision);
  for await (const data of download) await context.output.bytes(data);
}

async function getFile(context: CommandContext, from: string, into: string, { revision }: GetOptions): Promise<void> {
  const { output } = context;
  const download = await open(context, from, revision);
  const progress = new Progress(output, baseName(from), context.progress);
  const bytesTotal = download.sizeBytes;
  let bytesDone = 0;
  await mkdir(path.dirname(into), { recursive: true });
  try {
    await replaceLocal(into, modeOf(download), download, async (bytes) => {
      bytesDone += bytes;
      await progress.update({ filesTotal: 1, filesDone: bytesDone === bytesTotal ? 1 : 0, bytesTotal, bytesDone });
    });
  } finally {
    download.cancel();
    progress.stop();
  }
  const { file, revision: stored } = download;
  const about = file ? { file: fileDocument(file) } : stored ? { revision: revisionDocument(stored) } : {};
  await output.result(
    { local: into, ...about },
    `${into}: ${sizeText(bytesTotal)}, mode ${modeText(modeOf(download))}`,
  );
}

async function getTree(context: CommandContext, from: string, local: string, options: GetOptions): Promise<void> {
  const { client, output, signal } = context;
  const files: { source: string; into: string; sizeBytes: number }[] = [];
  let symlinks = 0;
  await mkdir(local, { recursive: true });
  for await (const entry of client.list(from, { recursive: true, signal })) {
    const into = path.join(local, ...below(from, entry));
    if (entry.type === FileType.DIRECTORY) await mkdir(into, { recursive: true });
    else if (entry.type === FileType.FILE) files.push({ source: entry.path, into, sizeBytes: Number(entry.sizeBytes) });
    else symlinks++;
  }
  const bytesTotal = files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const progress = new Progress(output, `get ${from || "."}`, context.progress);
  const done = { files: 0, bytes: 0, failed: 0, exitCode: EXIT.ok as number };
  const show = () =>
    progress.update({ filesTotal: files.length, filesDone: done.files, bytesTotal, bytesDone: done.bytes });
  try {
    await eachParallel(files, options.parallel, async ({ source, into, sizeBytes }) => {
      if (signal.aborted) return;
      try {
        await mkdir(path.dirname(into), { recursive: true });
        const download = await open(context, source, undefined);
        await replaceLocal(into, modeOf(download), download, async (bytes) => {
          done.bytes += bytes;
          await show();
        }).finally(() => download.cancel());
        await output.item({ event: "file", path: source, local: into, state: "read", sizeBytes });
      } catch (error) {
        const failure = failureOf(error, context.address);
        done.failed++;
        done.exitCode = Math.max(done.exitCode, failure.exitCode);
        await output.item({ event: "file", path: source, local: into, state: "failed", error: failure });
        output.note(`safefile: ${source}: ${failure.message}`);
      }
      done.files++;
      await show();
    });
  } finally {
    progress.stop();
  }
  const skipped = symlinks > 0 ? `, ${symlinks} other than files skipped` : "";
  await output.item(
    {
      event: "end",
      files: files.length,
      bytes: done.bytes,
      failed: done.failed,
      skipped: symlinks,
      interrupted: signal.aborted,
    },
    `${count(files.length - done.failed, "file")} read${skipped}; ${sizeText(done.bytes)}`,
  );
  if (signal.aborted) throw new CliError("Interrupted. Files that were read are whole; run the same command again.");
  if (done.failed > 0) throw new CliError(`${count(done.failed, "file")} failed; the others are whole.`, done.exitCode);
}

function open({ client, signal }: CommandContext, source: string, revision: number | undefined): Promise<Download> {
  if (revision === undefined) return client.download(source, { signal });
  return client.downloadRevision(source, revision, { signal });
}

function modeOf({ file, revision }: Download): number {
  return (file ?? revision)?.mode ?? MODE_DEFAULT;
}

/** The names below `from`. A server that is not what it says must not write outside of the target. */
function below(from: string, { path: found }: FileInfo): string[] {
  const names = (from === "" ? found : found.slice(from.length + 1)).split("/");
  const inside = from === "" || found.startsWith(`${from}/`);
  if (!inside || names.some((name) => name === "" || name === "." || name === ".." || name.includes("\0"))) {
    throw new CliError(`The server listed ${JSON.stringify(found)}, which is not below ${JSON.stringify(from)}.`);
  }
  return names;
}

async function isDirectory(local: string): Promise<boolean> {
  try {
    return (await stat(local)).isDirectory();
  } catch {
    return false;
  }
}
