import { type FileInfo, FileType, type Revision, RevisionKind } from "@safefile/client";
import { type CommandContext, filePath, volumePath } from "./command-context.js";
import {
  entryDocument,
  fileDocument,
  hex,
  modeText,
  nameOf,
  revisionDocument,
  sizeText,
  timeText,
  xattrText,
} from "./shown.js";

export interface LsOptions {
  readonly recursive?: boolean;
  readonly long?: boolean;
}

/** `ls [PATH]` */
export async function ls({ client, output, signal }: CommandContext, typed: string, options: LsOptions): Promise<void> {
  const path = volumePath(typed);
  const line = (file: FileInfo, name: string) => (options.long ? longLine(file, name) : shortLine(file, name));
  if (path !== "") {
    const file = await client.stat(path, { signal });
    if (file.type !== FileType.DIRECTORY) return output.item(entryDocument(file), line(file, path));
  }
  for await (const file of client.list(path, { recursive: options.recursive ?? false, signal })) {
    const name = path === "" ? file.path : file.path.slice(path.length + 1);
    await output.item(entryDocument(file), line(file, name));
  }
}

/** `stat PATH` */
export async function stat({ client, output, signal }: CommandContext, typed: string): Promise<void> {
  const file = await client.stat(volumePath(typed), { signal });
  const rows: [string, string][] = [
    ["path", file.path || "."],
    ["type", nameOf(FileType, file.type)],
    ["mode", modeText(file.mode)],
    ["changed", timeText(file.updateTime) ?? "unknown"],
  ];
  if (file.type === FileType.FILE) {
    rows.push(
      ["size", `${file.sizeBytes} bytes`],
      ["revision", revisionText(file)],
      ["operation", file.operationId || "none"],
      ["etag", file.etag],
      ["sha256", hex(file.sha256) || "unknown until it is read"],
      ...Object.entries(file.xattrs).map(([name, value]): [string, string] => ["xattr", `${name}=${xattrText(value)}`]),
    );
  }
  await output.result(fileDocument(file), ...rows.map(([name, value]) => `${name.padEnd(10)}${value}`));
}

/** `log PATH` */
export async function log({ client, output, signal }: CommandContext, typed: string): Promise<void> {
  for await (const revision of client.revisions(filePath(typed), { signal })) {
    await output.item(revisionDocument(revision), logLine(revision));
  }
}

function revisionText(file: FileInfo): string {
  if (file.revision > 0n) return String(file.revision);
  return file.externallyChanged ? "none: changed from outside since" : "none: never written through the service";
}

function shortLine(file: FileInfo, name: string): string {
  if (file.type === FileType.DIRECTORY) return `${name}/`;
  return file.type === FileType.SYMLINK ? `${name}@` : name;
}

const TYPE_LETTERS: Readonly<Partial<Record<FileType, string>>> = {
  [FileType.FILE]: "-",
  [FileType.DIRECTORY]: "d",
  [FileType.SYMLINK]: "l",
};

function longLine(file: FileInfo, name: string): string {
  const type = TYPE_LETTERS[file.type] ?? "?";
  const size = file.type === FileType.FILE ? sizeText(Number(file.sizeBytes)) : "";
  const revision = file.revision > 0n ? `r${file.revision}` : file.externallyChanged ? "outside" : "-";
  const time = timeText(file.updateTime)?.slice(0, 19) ?? "";
  return `${type} ${modeText(file.mode)} ${size.padStart(10)} ${revision.padStart(8)} ${time} ${shortLine(file, name)}`;
}

function logLine(revision: Revision): string {
  const kind = nameOf(RevisionKind, revision.kind);
  const source = revision.sourceRevision > 0n ? ` of r${revision.sourceRevision}` : "";
  const labels = Object.entries(revision.labels).map(([key, value]) => ` ${key}=${value}`);
  const size = revision.sha256.length > 0 ? sizeText(Number(revision.sizeBytes)) : "";
  const time = timeText(revision.createTime) ?? "";
  return `r${revision.revision}`
    .padEnd(8)
    .concat(
      `${time}  ${`${kind}${source}`.padEnd(16)} ${size.padStart(10)}  ${revision.operationId}`,
      revision.pinned ? " pinned" : "",
      ...labels,
    );
}
