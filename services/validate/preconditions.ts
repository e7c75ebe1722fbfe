import { AlreadyExistsError, PathNotFoundError, PreconditionFailedError } from "../errors/index.js";
import { type Check, type Intent, isCreateOnly } from "../model/operation-request.js";

/** What a path holds: `revision` is 0 for a file that is no revision. */
export interface FoundFile {
  readonly etag: string;
  readonly revision: number;
}

/** Whether the change makes sense only where something is. */
export const needsFile = ({ kind, source }: Intent): boolean =>
  kind === "PATCH" || kind === "ATTRIBUTES" || (source === undefined && kind !== "MAKE_DIRECTORY");

/** Throws when what the path holds (undefined for nothing) is not what the caller built on. */
export function checkPreconditions(intent: Intent, found: FoundFile | undefined): void {
  const { path } = intent;
  if (isCreateOnly(intent) && found) throw new AlreadyExistsError({ path });
  checkCondition(intent, found);
  if (needsFile(intent) && !found) throw new PathNotFoundError({ path });
}

/** As `checkPreconditions`, for a path that is not changed. */
export function checkCondition({ path, precondition }: Check, found: FoundFile | undefined): void {
  const { etag, ifRevision } = precondition;
  if (ifRevision === 0 && found) throw new AlreadyExistsError({ path });
  if (ifRevision !== undefined && ifRevision !== (found?.revision ?? 0))
    throw new PreconditionFailedError({ path, condition: "if_revision", wanted: String(ifRevision), found });
  if (etag !== undefined && etag !== found?.etag)
    throw new PreconditionFailedError({ path, condition: "etag", wanted: etag, found });
}
