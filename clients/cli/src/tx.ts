import path from "node:path";
import type { TransactionChange, TransactionStep } from "@safefile/client";
import { changeOptions } from "./change.js";
import { type CommandContext, count } from "./command-context.js";
import { readDocument } from "./local-content.js";
import { fileDocument, resultDocument, revisionDocument } from "./shown.js";
import { readSteps } from "./steps.js";

export interface TxFlags {
  readonly requestId?: string;
  readonly label?: Readonly<Record<string, string>>;
  readonly dryRun?: boolean;
}

/** `tx FILE` */
export async function tx(context: CommandContext, local: string, options: TxFlags): Promise<void> {
  const { client, output, signal, now } = context;
  const steps = await readSteps(await readDocument(local), local === "-" ? "." : path.dirname(local), now());
  const validateOnly = options.dryRun ?? false;
  const { result, items } = await client.transaction(steps, { ...changeOptions(options), validateOnly, signal });
  const said = validateOnly
    ? `${count(steps.length, "step")} would be committed`
    : `${count(steps.length, "step")} committed as operation ${result.operationId}`;
  const lines = validateOnly ? [] : items.map((item, at) => lineOf(steps[at]!, item));
  await output.result({ ...resultDocument(result), items: items.map(documentOf) }, ...lines, said);
}

function documentOf({ path: about, file, revision, backupRevision }: TransactionChange) {
  return {
    path: about,
    file: file === undefined ? null : fileDocument(file),
    revision: revision === undefined ? null : revisionDocument(revision),
    backupRevision: Number(backupRevision),
  };
}

function lineOf(
  { action, path: source }: TransactionStep,
  { path: about, revision, backupRevision }: TransactionChange,
) {
  const name = about === source ? about : `${source} to ${about}`;
  const made = revision === undefined ? "" : `: revision ${revision.revision}`;
  const undo = backupRevision > 0n ? `; revision ${backupRevision} holds what was there before` : "";
  return `${action} ${name}${made}${undo}`;
}
