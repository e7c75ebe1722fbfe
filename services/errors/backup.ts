import { SafeOperationError } from "./safe-operation-error.js";

/** An earlier revision could not be kept, found or read. */
export class BackupError extends SafeOperationError {}

export class BackupStorageError extends BackupError {
  constructor(details: { path: string }, cause: unknown) {
    super(
      "BACKUP_STORAGE",
      "UNAVAILABLE",
      `What ${details.path} holds now could not be kept, so it was not replaced. Nothing was changed.`,
      { metadata: details, cause, retryAfterMs: 1000 },
    );
  }
}

export class BackupVersionError extends BackupError {
  constructor(details: { path: string; revision: bigint | number | string }) {
    super(
      "BACKUP_VERSION",
      "NOT_FOUND",
      `${details.path} has no revision ${details.revision} with content. Nothing was changed; list the revisions to see what there is.`,
      { metadata: details, resource: { type: "safefile/revision", name: `${details.path}@${details.revision}` } },
    );
  }
}

export class RevisionCorruptError extends BackupError {
  constructor(details: { path: string; revision: number | string; where: string }, cause?: unknown) {
    super(
      "REVISION_CORRUPT",
      "DATA_LOSS",
      `Revision ${details.revision} of ${details.path} does not read back as it was written (${details.where}). It was not served and nothing was changed; other revisions may be sound.`,
      { metadata: details, cause },
    );
  }
}

/** As RevisionCorruptError, before it is known which revisions the damaged record holds. */
export class JournalDamagedError extends BackupError {
  constructor(details: { where: string }, cause?: unknown) {
    super(
      "REVISION_CORRUPT",
      "DATA_LOSS",
      `A record of the journal does not read back as it was written (${details.where}). It was not used and nothing was changed; an administrator should look at the volume.`,
      { metadata: details, cause },
    );
  }
}
