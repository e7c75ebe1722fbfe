import { type Facts, SafeOperationError } from "./safe-operation-error.js";

/** The request cannot be carried out as it is; nothing was touched. */
export class ValidationError extends SafeOperationError {}

export class PathInvalidError extends ValidationError {
  constructor(details: { field: string; problem: string }) {
    const { field, problem } = details;
    super("PATH_INVALID", "INVALID_ARGUMENT", `The path in ${field} ${problem}. Nothing was changed.`, {
      metadata: { field, problem },
      fields: [{ field, description: problem }],
    });
  }
}

/** What lies on the volume at this path is not a plain file or directory. */
export class PathNotPlainError extends ValidationError {
  constructor(details: { path: string; what: string }) {
    const { path, what } = details;
    super(
      "PATH_INVALID",
      "INVALID_ARGUMENT",
      `${path} is, or leads through, a ${what}; Safefile serves plain files in plain directories only. Nothing was changed.`,
      { metadata: { path, what }, fields: [{ field: "path", description: `is, or leads through, a ${what}` }] },
    );
  }
}

export class PathNotFoundError extends ValidationError {
  constructor(details: { path: string }) {
    super("PATH_NOT_FOUND", "NOT_FOUND", `There is no file at ${details.path}. Nothing was changed.`, {
      metadata: details,
      resource: { type: "safefile/file", name: details.path },
    });
  }
}

export class ArgumentInvalidError extends ValidationError {
  constructor(details: { field: string; problem: string }) {
    const { field, problem } = details;
    super("ARGUMENT_INVALID", "INVALID_ARGUMENT", `${field} ${problem}. Nothing was changed.`, {
      metadata: { field, problem },
      fields: [{ field, description: problem }],
    });
  }
}

export class ChecksumMismatchError extends ValidationError {
  constructor(details: { field: string; path: string }) {
    super(
      "CHECKSUM_MISMATCH",
      "INVALID_ARGUMENT",
      `The bytes received for ${details.path} do not have the checksum given in ${details.field}; they were damaged on the way. Nothing was changed; send them again.`,
      { metadata: details, fields: [{ field: details.field, description: "does not match the bytes received" }] },
    );
  }
}

/** A resumed upload goes on from bytes that the server does not hold, or ended before they were complete. */
export class UploadOffsetError extends ValidationError {
  constructor(details: { path: string; offset: number; uploadOffset: number }) {
    const { path, offset, uploadOffset } = details;
    super(
      "ARGUMENT_INVALID",
      "INVALID_ARGUMENT",
      `chunk.offset is ${offset}, but the server holds ${uploadOffset} bytes of the upload of ${path}. Nothing was changed; go on from byte ${uploadOffset}.`,
      {
        metadata: { path, offset, upload_offset: uploadOffset },
        fields: [{ field: "chunk.offset", description: `must be at most ${uploadOffset}, the bytes held` }],
      },
    );
  }
}

/** The stream ended, but the declared size is more than what has come so far. */
export class UploadIncompleteError extends ValidationError {
  constructor(details: { path: string; sizeBytes: number; uploadOffset: number }) {
    const { path, sizeBytes, uploadOffset } = details;
    super(
      "CHECKSUM_MISMATCH",
      "INVALID_ARGUMENT",
      `The upload of ${path} ended with ${uploadOffset} of ${sizeBytes} bytes. Nothing was changed, and what came is kept; go on from byte ${uploadOffset}.`,
      {
        metadata: {
          field: "header.size_bytes",
          path,
          actual: uploadOffset,
          limit: sizeBytes,
          upload_offset: uploadOffset,
        },
        fields: [{ field: "header.size_bytes", description: "is more than what was received" }],
      },
    );
  }
}

/** Bytes sent again are not those that were sent before. */
export class UploadDiffersError extends ValidationError {
  constructor(details: { path: string; uploadId: string; offset: number }) {
    const { path, uploadId, offset } = details;
    super(
      "CHECKSUM_MISMATCH",
      "INVALID_ARGUMENT",
      `The bytes sent for ${path} from byte ${offset} on are not those that the server holds under upload_id ${uploadId}. Nothing was changed; upload other content under another upload_id.`,
      {
        metadata: { field: "chunk.data", path, upload_id: uploadId, offset },
        fields: [{ field: "chunk.data", description: "differs from what is held under this upload_id" }],
      },
    );
  }
}

export class PreconditionFailedError extends ValidationError {
  /** `found` is undefined when there is no file. */
  constructor(details: {
    path: string;
    condition: "etag" | "if_revision";
    wanted: string;
    found: { readonly etag: string; readonly revision: number } | undefined;
  }) {
    const { path, condition, wanted } = details;
    const { etag, revision } = details.found ?? { etag: "", revision: 0 };
    const found = details.found ? (condition === "etag" ? etag : String(revision)) : "none, since there is no file";
    super(
      "PRECONDITION_FAILED",
      "ABORTED",
      `${path} has ${condition} ${found}, not ${wanted}: somebody changed it since you read it. Nothing was changed; read it again and decide anew.`,
      {
        metadata: { path, condition, wanted, etag, revision },
        conditions: [{ type: condition, subject: path, description: `found ${found}, wanted ${wanted}` }],
      },
    );
  }
}

export class AlreadyExistsError extends ValidationError {
  constructor(details: { path: string }) {
    super(
      "ALREADY_EXISTS",
      "ALREADY_EXISTS",
      `There is a file at ${details.path} already, and if_revision 0 asked for none. Nothing was changed.`,
      { metadata: details, resource: { type: "safefile/file", name: details.path } },
    );
  }
}

export class RequestIdReusedError extends ValidationError {
  constructor(details: { requestId: string; operationId: string; field?: string }) {
    super(
      "REQUEST_ID_REUSED",
      "INVALID_ARGUMENT",
      `Request id ${details.requestId} was used for another change, ${details.operationId}. Nothing was changed; give every new change a new id.`,
      {
        metadata: { request_id: details.requestId, operation_id: details.operationId },
        fields: [{ field: details.field ?? "options.request_id", description: "was used with another payload" }],
      },
    );
  }
}

export class VolumeUnknownError extends ValidationError {
  constructor(details: { volume: string }) {
    super("VOLUME_UNKNOWN", "NOT_FOUND", `This replica does not serve a volume named ${details.volume}.`, {
      metadata: details,
      resource: { type: "safefile/volume", name: details.volume },
    });
  }
}

export class LimitExceededError extends ValidationError {
  constructor(details: { field: string; limit: string; found?: string }, facts: Facts = {}) {
    super(
      "LIMIT_EXCEEDED",
      "INVALID_ARGUMENT",
      `${details.field} is over the limit of ${details.limit}. Nothing was changed.`,
      {
        ...facts,
        metadata: { ...details },
        fields: [{ field: details.field, description: `is over the limit of ${details.limit}` }],
      },
    );
  }
}

export class NotImplementedError extends ValidationError {
  constructor(details: { what: string }) {
    super("NOT_IMPLEMENTED", "UNIMPLEMENTED", `${details.what} is not built yet. Nothing was changed.`, {
      metadata: details,
    });
  }
}
