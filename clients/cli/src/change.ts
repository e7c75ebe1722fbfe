import { type ChangeOptions, type MutationResult, RevisionKind } from "@safefile/client";
import { type CommandContext, filePath } from "./command-context.js";
import { msOf, resultDocument } from "./shown.js";

export interface ChangeFlags {
  readonly requestId?: string;
  readonly ifRevision?: number;
  readonly etag?: string;
  readonly label?: Readonly<Record<string, string>>;
  readonly lockId?: string;
}

/** `rm PATH` */
export async function rm(
  { client, output, signal }: CommandContext,
  typed: string,
  options: ChangeFlags & { readonly recursive?: boolean },
): Promise<void> {
  const path = filePath(typed);
  const recursive = options.recursive ?? false;
  const result = await client.remove(path, { ...changeOptions(options), recursive, signal });
  const undo = undoOf(path, result);
  await output.result(
    resultDocument(result),
    `${path} is deleted${undo === undefined ? "" : `; undo with \`${undo}\``}`,
  );
}

/** The command that brings back what was deleted. */
function undoOf(path: string, { revision, backupRevision }: MutationResult): string | undefined {
  if (backupRevision > 0n) return `safefile rollback ${path} ${backupRevision}`;
  if (revision?.kind !== RevisionKind.REMOVE_DIRECTORY || revision.createTime === undefined) return undefined;
  // The last moment at which all of it was there.
  const then = new Date(msOf(revision.createTime) - 1);
  return `safefile restore ${path} --tree --as-of ${then.toISOString()}`;
}

/** `rollback PATH REVISION` */
export async function rollback(
  { client, output, signal }: CommandContext,
  typed: string,
  revision: number,
  options: ChangeFlags,
): Promise<void> {
  const path = filePath(typed);
  const result = await client.rollback(path, revision, { ...changeOptions(options), signal });
  const undo = result.backupRevision > 0n ? `; revision ${result.backupRevision} holds what was there before` : "";
  const now = result.revision?.revision;
  await output.result(resultDocument(result), `${path} is revision ${now}, with the content of ${revision}${undo}`);
}

/** `rebuild-index` */
export async function rebuildIndex({ client, output, signal }: CommandContext): Promise<void> {
  const { paths, revisions, journals, records, duration } = await client.rebuildIndex({ signal });
  const durationMs = duration === undefined ? 0 : Number(duration.seconds) * 1_000 + duration.nanos / 1_000_000;
  await output.result(
    {
      paths: Number(paths),
      revisions: Number(revisions),
      journals: Number(journals),
      records: Number(records),
      durationMs,
    },
    `${paths} paths and ${revisions} revisions from ${records} records of ${journals} journals`,
  );
}

/** What a path is now, and what undoes that. */
export function changedLine(path: string, { revision, backupRevision, replayed }: MutationResult): string {
  const undo = backupRevision > 0n ? `; revision ${backupRevision} holds what was there before` : "";
  const again = replayed ? " (already done by an earlier call)" : "";
  return `${path} is revision ${revision?.revision}${undo}${again}`;
}

export function changeOptions({ requestId, ifRevision, etag, label, lockId }: ChangeFlags): ChangeOptions {
  return {
    ...(requestId === undefined ? {} : { requestId }),
    ...(ifRevision === undefined ? {} : { ifRevision }),
    ...(etag === undefined ? {} : { etag }),
    ...(label === undefined ? {} : { labels: label }),
    ...(lockId === undefined ? {} : { lockId }),
  };
}
