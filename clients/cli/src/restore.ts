import { RestoreAction, type RestoreItem, type RestoreProgress, RestoreState, SafefileError } from "@safefile/client";
import { type CommandContext, count, volumePath } from "./command-context.js";
import { CliError, EXIT } from "./failure.js";
import { Progress } from "./progress.js";
import { itemDocument, nameOf, progressDocument, sizeText } from "./shown.js";

export interface RestoreFlags {
  readonly asOf?: Date;
  readonly asOfOperation?: string;
  readonly tree?: boolean;
  readonly to?: string;
  readonly include?: readonly string[];
  readonly exclude?: readonly string[];
  readonly deleteExtra?: boolean;
  readonly overwrite: "always" | "never";
  readonly dryRun?: boolean;
  readonly requestId?: string;
  readonly watch: boolean;
}

const VERBS: Readonly<Partial<Record<RestoreAction, readonly [done: string, planned: string]>>> = {
  [RestoreAction.RESTORED]: ["restored", "would restore"],
  [RestoreAction.UNCHANGED]: ["unchanged", "would leave unchanged"],
  [RestoreAction.KEPT]: ["kept", "would keep"],
  [RestoreAction.DELETED]: ["deleted", "would delete"],
  [RestoreAction.FAILED]: ["failed", "would fail"],
};

/** `restore PATH` */
export async function restore(context: CommandContext, typed: string, flags: RestoreFlags): Promise<void> {
  const { client, output, signal } = context;
  const { restoreId, restore: started } = await client.startRestore(volumePath(typed), {
    asOf: pointOf(flags),
    tree: flags.tree ?? false,
    overwrite: flags.overwrite,
    include: flags.include ?? [],
    exclude: flags.exclude ?? [],
    deleteExtra: flags.deleteExtra ?? false,
    dryRun: flags.dryRun ?? false,
    ...(flags.to === undefined ? {} : { targetPath: volumePath(flags.to) }),
    ...(flags.requestId === undefined ? {} : { requestId: flags.requestId }),
    signal,
  });
  if (!flags.watch) {
    const state = nameOf(RestoreState, started?.progress?.state ?? RestoreState.PENDING);
    await output.result(
      { restoreId, state },
      `restore ${restoreId} is ${state}; see \`safefile watch-restore ${restoreId}\``,
    );
    return;
  }
  await output.item({ event: "started", restoreId });
  output.note(`restore ${restoreId}${flags.dryRun ? " (dry run: nothing is changed)" : ""}`);
  await watchRestore(context, restoreId, { dryRun: flags.dryRun ?? false });
}

/** `watch-restore RESTORE_ID`, and what `restore` does by default. */
export async function watchRestore(
  context: CommandContext,
  restoreId: string,
  { dryRun = false, cursor = "" }: { readonly dryRun?: boolean; readonly cursor?: string },
): Promise<void> {
  const { client, output, signal } = context;
  const bar = new Progress(output, "restore", context.progress);
  let last: RestoreProgress | undefined;
  const failures: string[] = [];
  try {
    for await (const { event, cursor: seen } of client.watchRestore(restoreId, { cursor, signal })) {
      if (event.case === "progress") {
        last = event.value;
        await bar.update(countsOf(event.value));
      } else if (event.case === "item") {
        await output.item(
          { event: "item", cursor: seen, ...itemDocument(event.value) },
          dryRun ? itemLine(event.value) : undefined,
        );
        if (event.value.action === RestoreAction.FAILED) failures.push(failureLine(event.value));
      }
    }
  } catch (error) {
    if (!signal.aborted) throw error;
    throw new CliError(`The restore goes on without you; see it again with \`safefile watch-restore ${restoreId}\`.`);
  } finally {
    bar.stop();
  }
  for (const line of failures) output.note(line);
  if (last === undefined) throw new CliError(`Nothing was said about restore ${restoreId}; its end is not known.`);
  await output.item({ event: "end", restoreId, ...progressDocument(last) }, summary(last, dryRun));
  if (last.state !== RestoreState.SUCCEEDED) throw new CliError(endSentence(last), EXIT.failed);
}

function pointOf({ asOf, asOfOperation }: RestoreFlags): Date | { readonly operation: string } {
  if (asOf !== undefined && asOfOperation === undefined) return asOf;
  if (asOfOperation !== undefined && asOf === undefined) return { operation: asOfOperation };
  throw new CliError("Say the point to go back to with either --as-of or --as-of-operation.", EXIT.usage);
}

function countsOf(progress: RestoreProgress) {
  return {
    filesTotal: Number(progress.filesTotal),
    filesDone: Number(progress.filesDone),
    bytesTotal: Number(progress.bytesTotal),
    bytesDone: Number(progress.bytesDone),
  };
}

function itemLine(item: RestoreItem): string {
  const [, planned] = VERBS[item.action] ?? ["", nameOf(RestoreAction, item.action)];
  const source = item.action === RestoreAction.RESTORED ? ` to revision ${item.sourceRevision}` : "";
  return `${planned} ${item.path}${source}`;
}

function failureLine(item: RestoreItem): string {
  const error = item.error === undefined ? undefined : SafefileError.fromStatus(item.error);
  return `safefile: ${item.path}: ${error?.message ?? "failed"}${error?.reason === undefined ? "" : ` [${error.reason}]`}`;
}

function summary(progress: RestoreProgress, dryRun: boolean): string {
  const would = dryRun ? "would be " : "";
  const parts = [
    `${count(Number(progress.filesRestored), "file")} ${would}restored`,
    `${progress.filesSkipped} needed nothing`,
  ];
  if (progress.filesDeleted > 0n) parts.push(`${progress.filesDeleted} ${would}deleted`);
  if (progress.filesFailed > 0n) parts.push(`${progress.filesFailed} failed`);
  return `${parts.join(", ")}; ${sizeText(Number(progress.bytesDone))}`;
}

function endSentence(progress: RestoreProgress): string {
  switch (progress.state) {
    case RestoreState.PARTIALLY_FAILED:
      return `${count(Number(progress.filesFailed), "file")} could not be restored and are as they were; run it again to do what is left.`;
    case RestoreState.CANCELLED:
      return "The restore was cancelled; files it had not reached are as they were.";
    default:
      return "The restore could not go on; files it had not reached are as they were.";
  }
}
