import { randomUUID } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import {
  type MutationOptions,
  MutationOptionsSchema,
  type Precondition,
  PreconditionSchema,
} from "./gen/safefile/v1/common_pb.js";

/** What every call takes. */
export interface CallOptions {
  /** The volume; the client's own unless given. */
  readonly volume?: string;
  /** How long the call may take, repeats included. For content, how long it may take from the last byte on. */
  readonly deadlineMs?: number;
  /** Cancels the call. A change that was cancelled may have the outcome UNKNOWN. */
  readonly signal?: AbortSignal;
}

/** What must be true of a path; PRECONDITION_FAILED when it is not. Both hold when both are given. */
export interface Condition {
  /** Only if the file has exactly this etag. */
  readonly etag?: string;
  /** Only if the file is exactly this revision; 0 means that nothing may be there (else ALREADY_EXISTS). */
  readonly ifRevision?: number | bigint;
}

/** What every change takes. */
export interface ChangeOptions extends CallOptions, Condition {
  /** Makes a repeat of the whole call safe. A random UUID unless given. */
  readonly requestId?: string;
  /** Check only, change nothing. */
  readonly validateOnly?: boolean;
  /** How long to wait for the path to be free. 0 does not wait; the server's default unless given. */
  readonly lockWaitMs?: number;
  /** Who goes first among those waiting: -100 to 100, higher first. */
  readonly priority?: number;
  /** The lock under which the change is made; LOCK_LOST when it has ended. */
  readonly lockId?: string;
  /** Kept with the revision. No secrets. */
  readonly labels?: Readonly<Record<string, string>>;
}

/** The request's id is settled here, once for all attempts of the call. */
export function mutationOptions(options: ChangeOptions): MutationOptions {
  return create(MutationOptionsSchema, {
    requestId: options.requestId ?? randomUUID(),
    validateOnly: options.validateOnly ?? false,
    priority: options.priority ?? 0,
    labels: { ...options.labels },
    lockId: options.lockId ?? "",
    ...(options.lockWaitMs === undefined ? {} : { lockWait: durationFromMs(options.lockWaitMs) }),
    ...conditionOf("precondition", options),
  });
}

/** A field of this name that holds the condition, or nothing when there is none. */
export function conditionOf<N extends string>(name: N, { etag, ifRevision }: Condition): { [K in N]?: Precondition } {
  if (etag === undefined && ifRevision === undefined) return {};
  const found = create(PreconditionSchema, {
    etag: etag ?? "",
    ...(ifRevision === undefined ? {} : { ifRevision: BigInt(ifRevision) }),
  });
  return { [name]: found } as { [K in N]?: Precondition };
}
