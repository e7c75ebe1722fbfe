import {
  InternalError,
  JournalDamagedError,
  LimitExceededError,
  PathNotPlainError,
  SafeOperationError,
  VolumeFullError,
  VolumeReadOnlyError,
  VolumeUnavailableError,
} from "../errors/index.js";
import { JournalCorruptError } from "../journal/reader.js";
import { codeOf, NotPlainError, XattrRefusedError } from "../volume/volume.js";
import { EarlierOutcome } from "./earlier-outcome.js";
import { MissingRecordError } from "./heads.js";

/** What the file system says, in words for callers; undefined for what is not its saying. */
export function volumeError(failure: unknown): SafeOperationError | undefined {
  if (failure instanceof JournalCorruptError || failure instanceof MissingRecordError)
    return new JournalDamagedError({ where: failure.message }, failure);
  switch (codeOf(failure)) {
    case "ENOSPC":
    case "EDQUOT":
      return new VolumeFullError(failure);
    case "EROFS":
      return new VolumeReadOnlyError(failure);
    case "EIO":
    case "ESTALE":
    case "EMFILE":
    case "ENFILE":
    case "ENOMEM":
      return new VolumeUnavailableError(failure);
    default:
      return undefined;
  }
}

/** What is to be said of `failure` when it is certain that nothing was changed. */
export function said(failure: unknown): unknown {
  if (failure instanceof SafeOperationError || failure instanceof EarlierOutcome) return failure;
  if (failure instanceof NotPlainError) return new PathNotPlainError({ path: failure.path, what: failure.what });
  if (failure instanceof XattrRefusedError)
    return new LimitExceededError({ field: "set_xattrs", limit: "what the file system keeps with one file" });
  return volumeError(failure) ?? new InternalError(failure, "NOT_COMMITTED");
}
