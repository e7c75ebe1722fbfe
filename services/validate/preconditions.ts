import { AlreadyExistsError, PathNotFoundError, PreconditionFailedError } from "../errors/index.js";
import type { Intent } from "../model/operation-request.js";

/** What a path holds: `revision` is 0 for a file that is no revision. */
export interface FoundFile {
  readonly etag: string;
  readonly revision: number;
}

/** Throws when what the path holds (undefined for no file) is not what the caller built on. */
export function checkPreconditions(intent: Intent, found: FoundFile | undefined): void {
  const { path, kind, precondition } = intent;
  const { etag, ifRevision } = precondition;
  if (ifRevision === 0 && found) throw new AlreadyExistsError({ path });
  if (ifRevision !== undefined && ifRevision !== (found?.revision ?? 0))
    throw new PreconditionFailedError({ path, condition: "if_revision", wanted: String(ifRevision), found });
  if (etag !== undefined && etag !== found?.etag)
    throw new PreconditionFailedError({ path, condition: "etag", wanted: etag, found });
  if (kind === "DELETE" && !found) throw new PathNotFoundError({ path });
}
