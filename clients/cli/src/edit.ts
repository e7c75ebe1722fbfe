import type { Edit } from "@safefile/client";
import { type ChangeFlags, changedLine, changeOptions } from "./change.js";
import { type CommandContext, filePath } from "./command-context.js";
import { CliError, EXIT } from "./failure.js";
import { readContent, readDocument } from "./local-content.js";
import { resultDocument } from "./shown.js";
import { readEdits } from "./steps.js";

/** `append PATH [LOCAL]` */
export async function append(
  { client, output, signal }: CommandContext,
  typed: string,
  local: string,
  options: ChangeFlags & { readonly mode?: number },
): Promise<void> {
  const path = filePath(typed);
  const data = await readContent(local);
  const mode = options.mode === undefined ? {} : { mode: options.mode };
  const { result, offset } = await client.append(path, data, { ...changeOptions(options), ...mode, signal });
  const line = `${changedLine(path, result)}; ${data.length} bytes were added at ${offset}`;
  await output.result({ ...resultDocument(result), offset }, line);
}

/** `patch PATH [EDITS]` */
export async function patch(
  { client, output, signal }: CommandContext,
  typed: string,
  local: string | undefined,
  options: ChangeFlags & { readonly edit?: readonly Edit[] },
): Promise<void> {
  const path = filePath(typed);
  if (local !== undefined && options.edit !== undefined) {
    throw new CliError("give edits with --edit or in a document, not both", EXIT.usage);
  }
  const edits = options.edit ?? readEdits(await readDocument(local ?? "-"), "edits");
  const result = await client.patch(path, edits, { ...changeOptions(options), signal });
  await output.result(resultDocument(result), changedLine(path, result));
}

/** `chmod MODE PATH` */
export async function chmod(
  { client, output, signal }: CommandContext,
  mode: number,
  typed: string,
  options: ChangeFlags,
): Promise<void> {
  const path = filePath(typed);
  const result = await client.setAttributes(path, { ...changeOptions(options), mode, signal });
  await output.result(resultDocument(result), changedLine(path, result));
}

export interface AttrFlags extends ChangeFlags {
  readonly set?: Readonly<Record<string, string>>;
  readonly remove?: readonly string[];
  readonly mtime?: Date;
}

/** `attr PATH` */
export async function attr(
  { client, output, signal }: CommandContext,
  typed: string,
  options: AttrFlags,
): Promise<void> {
  const path = filePath(typed);
  const { set, remove, mtime } = options;
  if (set === undefined && remove === undefined && mtime === undefined) {
    throw new CliError("say what to change with --set, --remove or --mtime", EXIT.usage);
  }
  const texts = Object.entries(set ?? {}).map(([name, value]) => [name, Buffer.from(value)]);
  const result = await client.setAttributes(path, {
    ...changeOptions(options),
    setXattrs: Object.fromEntries(texts),
    removeXattrs: remove ?? [],
    ...(mtime === undefined ? {} : { modifiedTime: mtime }),
    signal,
  });
  await output.result(resultDocument(result), changedLine(path, result));
}
