import {
  type FileInfo,
  FileType,
  type Incident,
  IncidentKind,
  type MutationResult,
  Outcome,
  RestoreAction,
  type RestoreItem,
  type RestoreProgress,
  RestoreState,
  type Revision,
  RevisionKind,
  SafefileError,
} from "@safefile/client";

/** How messages of the API look in --json: plain numbers, hex digests, ISO times, names in lower case. */

/** What would move the cursor of a terminal. */
const CONTROL = /\p{Cc}/u;

interface WireTime {
  readonly seconds: bigint;
  readonly nanos: number;
}

export function fileDocument(file: FileInfo) {
  return {
    path: file.path,
    type: nameOf(FileType, file.type),
    sizeBytes: Number(file.sizeBytes),
    mode: modeText(file.mode),
    updateTime: timeText(file.updateTime),
    etag: file.etag,
    revision: Number(file.revision),
    operationId: file.operationId,
    sha256: hex(file.sha256),
    externallyChanged: file.externallyChanged,
    volume: file.volume,
    xattrs: Object.fromEntries(Object.entries(file.xattrs).map(([name, value]) => [name, xattrDocument(value)])),
  };
}

/** An entry of a list, where extended attributes are not looked up. */
export function entryDocument(file: FileInfo) {
  const { xattrs: _, ...entry } = fileDocument(file);
  return entry;
}

/** As `tx` reads it: a string where the bytes are text, else their base64. */
export function xattrDocument(value: Uint8Array): string | { readonly base64: string } {
  const bytes = Buffer.from(value);
  const text = bytes.toString();
  return Buffer.from(text).equals(bytes) ? text : { base64: bytes.toString("base64") };
}

/** In one line, whatever it holds. */
export function xattrText(value: Uint8Array): string {
  const shown = xattrDocument(value);
  if (typeof shown !== "string") return `base64:${shown.base64}`;
  return CONTROL.test(shown) ? JSON.stringify(shown) : shown;
}

export function revisionDocument(revision: Revision) {
  return {
    path: revision.path,
    revision: Number(revision.revision),
    kind: nameOf(RevisionKind, revision.kind),
    createTime: timeText(revision.createTime),
    sizeBytes: Number(revision.sizeBytes),
    mode: modeText(revision.mode),
    sha256: hex(revision.sha256),
    etag: revision.etag,
    baseRevision: Number(revision.baseRevision),
    sourceRevision: Number(revision.sourceRevision),
    operationId: revision.operationId,
    labels: revision.labels,
    pinned: revision.pinned,
    volume: revision.volume,
  };
}

export function resultDocument(result: MutationResult) {
  return {
    file: result.file === undefined ? null : fileDocument(result.file),
    revision: result.revision === undefined ? null : revisionDocument(result.revision),
    backupRevision: Number(result.backupRevision),
    operationId: result.operationId,
    requestId: result.requestId,
    traceId: result.traceId,
    replayed: result.replayed,
    validatedOnly: result.validatedOnly,
  };
}

export function progressDocument(progress: RestoreProgress) {
  return {
    state: nameOf(RestoreState, progress.state),
    filesTotal: Number(progress.filesTotal),
    filesDone: Number(progress.filesDone),
    filesRestored: Number(progress.filesRestored),
    filesSkipped: Number(progress.filesSkipped),
    filesDeleted: Number(progress.filesDeleted),
    filesFailed: Number(progress.filesFailed),
    bytesTotal: Number(progress.bytesTotal),
    bytesDone: Number(progress.bytesDone),
    currentPath: progress.currentPath,
    counting: progress.counting,
  };
}

export function itemDocument(item: RestoreItem) {
  const error = item.error === undefined ? undefined : SafefileError.fromStatus(item.error);
  return {
    path: item.path,
    action: nameOf(RestoreAction, item.action),
    revision: Number(item.revision),
    sourceRevision: Number(item.sourceRevision),
    sizeBytes: Number(item.sizeBytes),
    ...(error === undefined ? {} : { error: { message: error.message, reason: error.reason, code: error.status } }),
  };
}

export function incidentDocument(incident: Incident) {
  return {
    incidentId: incident.incidentId,
    kind: nameOf(IncidentKind, incident.kind),
    createTime: timeText(incident.createTime),
    resolveTime: timeText(incident.resolveTime),
    message: incident.message,
    path: incident.path,
    revision: Number(incident.revision),
    operationId: incident.operationId,
    outcome: incident.outcome === Outcome.UNSPECIFIED ? null : nameOf(Outcome, incident.outcome),
    incarnation: incident.incarnation,
    subjectIncarnation: incident.subjectIncarnation,
    traceId: incident.traceId,
    volume: incident.volume,
  };
}

/** "not_found" for NOT_FOUND; the number for one that this program does not know. */
export function nameOf(of: Readonly<Record<number, string>>, value: number): string {
  return of[value]?.toLowerCase() ?? String(value);
}

/** Four octal digits. */
export function modeText(mode: number): string {
  return mode.toString(8).padStart(4, "0");
}

/** RFC 3339 in UTC, to the millisecond. Null when unset. */
export function timeText(time: WireTime | undefined): string | null {
  if (time === undefined) return null;
  return new Date(msOf(time)).toISOString();
}

/** Since 1970, whole milliseconds. */
export function msOf({ seconds, nanos }: WireTime): number {
  return Number(seconds) * 1_000 + Math.floor(nanos / 1_000_000);
}

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

/** For people: "1.4 MiB". */
export function sizeText(sizeBytes: number): string {
  let size = sizeBytes;
  let unit = 0;
  for (; size >= 1_024 && unit < UNITS.length - 1; unit++) size /= 1_024;
  return `${unit === 0 ? size : size.toFixed(1)} ${UNITS[unit]}`;
}
