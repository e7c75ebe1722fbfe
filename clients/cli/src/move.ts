import { type ChangeFlags, changedLine, changeOptions } from "./change.js";
import { baseName, type CommandContext, filePath } from "./command-context.js";
import { resultDocument, revisionDocument } from "./shown.js";

export interface TargetFlags extends ChangeFlags {
  /** Overwrite. */
  readonly force?: boolean;
  readonly ifTargetRevision?: number;
}

/** `mv SOURCE TARGET` */
export async function mv(
  { client, output, signal }: CommandContext,
  from: string,
  to: string,
  options: TargetFlags,
): Promise<void> {
  const source = filePath(from);
  const target = targetPath(source, to);
  const { result, sourceRevision } = await client.move(source, target, { ...targetOptions(options), signal });
  const document = {
    ...resultDocument(result),
    sourceRevision: sourceRevision ? revisionDocument(sourceRevision) : null,
  };
  await output.result(document, `${source} is now ${changedLine(target, result)}`);
}

/** `cp SOURCE TARGET` */
export async function cp(
  { client, output, signal }: CommandContext,
  from: string,
  to: string,
  options: TargetFlags & { readonly revision?: number },
): Promise<void> {
  const source = filePath(from);
  const target = targetPath(source, to);
  const revision = options.revision === undefined ? {} : { revision: options.revision };
  const result = await client.copy(source, target, { ...targetOptions(options), ...revision, signal });
  await output.result(resultDocument(result), changedLine(target, result));
}

/** `mkdir PATH` */
export async function mkdir(
  { client, output, signal }: CommandContext,
  typed: string,
  options: ChangeFlags & { readonly parents?: boolean; readonly mode?: number },
): Promise<void> {
  const path = filePath(typed);
  const mode = options.mode === undefined ? {} : { mode: options.mode };
  const allowExisting = options.parents ?? false;
  const result = await client.makeDirectory(path, { ...changeOptions(options), ...mode, allowExisting, signal });
  const line = result.revision === undefined ? `${path} is there already` : `${path} is made`;
  await output.result(resultDocument(result), line);
}

/** `a/b` to `c/` goes to `c/b`, as `put` does it. */
function targetPath(source: string, typed: string): string {
  return filePath(typed.endsWith("/") ? `${typed}${baseName(source)}` : typed);
}

function targetOptions(options: TargetFlags) {
  const { force, ifTargetRevision } = options;
  return {
    ...changeOptions(options),
    overwrite: force ?? false,
    ...(ifTargetRevision === undefined ? {} : { targetPrecondition: { ifRevision: ifTargetRevision } }),
  };
}
