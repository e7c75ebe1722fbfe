import { randomUUID } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { type MutationOptions, MutationOptionsSchema, PreconditionSchema } from "./gen/safefile/v1/common_pb.js";

/** What every call takes. */
export interface CallOptions {
  /** The volume; the client's own unless given. */
  readonly volume?: string;
  /** How long the call may take, repeats included. For content, how long it may take from the last byte on. */
  readonly deadlineMs?: number;
  /** Cancels the call. A change that was cancelled may have the outcome UNKNOWN. */
  readonly signal?: AbortSignal;
}

/** What every change takes. */
export interface ChangeOptions extends CallOptions {
  /** Makes a repeat of the whole call safe. A random UUID unless given. */
  readonly requestId?: string;
  /** Check only, change nothing. */
  readonly validateOnly?: boolean;
  /** Only if the file has exactly this etag. */
  readonly etag?: string;
  /** Only if the file is exactly this revision; 0 means that nothing may be there. */
  readonly ifRevision?: number | bigint;
  /** How long to wait for the path to be free. 0 does not wait; the server's default unless given. */
  readonly lockWaitMs?: number;
  /** Who goes first among those waiting: -100 to 100, higher first. */
  readonly priority?: number;
  /** Kept with the revision. No secrets. */
  readonly labels?: Readonly<Record<string, string>>;
}

/** The request's id is settled here, once for all attempts of the call. */
export function mutationOptions(options: ChangeOptions): MutationOptions {
  const conditional = options.etag !== undefined || options.ifRevision !== undefined;
  return create(MutationOptionsSchema, {
    requestId: options.requestId ?? randomUUID(),
    validateOnly: options.validateOnly ?? false,
    priority: options.priority ?? 0,
    labels: { ...options.labels },
    ...(options.lockWaitMs === undefined ? {} : { lockWait: durationFromMs(options.lockWaitMs) }),
    ...(conditional ? { precondition: precondition(options) } : {}),
  });
}

function precondition({ etag, ifRevision }: ChangeOptions) {
  return create(PreconditionSchema, {
    etag: etag ?? "",
    ...(ifRevision === undefined ? {} : { ifRevision: BigInt(ifRevision) }),
  });
}
