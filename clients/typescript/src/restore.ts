import { randomUUID } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { CallOptions } from "./call-options.js";
import type { Channel } from "./channel.js";
import { follow } from "./follow.js";
import {
  OverwritePolicy,
  RecoveryService,
  type StartRestoreRequest,
  StartRestoreRequestSchema,
  type WatchRestoreResponse,
} from "./gen/safefile/v1/recovery_service_pb.js";

export interface RestoreOptions extends CallOptions {
  /** Everything at and below the path. */
  readonly tree?: boolean;
  /** The point to go back to: a time, or the id of the operation after which it was. */
  readonly asOf: Date | { readonly operation: string };
  /** What to do with files that are there. They are replaced unless this is "never". */
  readonly overwrite?: "always" | "never";
  readonly include?: readonly string[];
  readonly exclude?: readonly string[];
  /** Delete what did not exist then. */
  readonly deleteExtra?: boolean;
  /** Restore to here and leave the path alone. */
  readonly targetPath?: string;
  readonly dryRun?: boolean;
  readonly requestId?: string;
  readonly priority?: number;
  readonly labels?: Readonly<Record<string, string>>;
}

export interface WatchOptions extends Pick<CallOptions, "signal"> {
  /** `cursor` of the last event seen. From the beginning unless given. */
  readonly cursor?: string;
}

export function restoreRequest(path: string, volume: string, options: RestoreOptions): StartRestoreRequest {
  const { asOf } = options;
  return create(StartRestoreRequestSchema, {
    volume,
    path,
    tree: options.tree ?? false,
    point:
      asOf instanceof Date
        ? { case: "asOfTime", value: timestampFromDate(asOf) }
        : { case: "asOfOperation", value: asOf.operation },
    overwritePolicy: options.overwrite === "never" ? OverwritePolicy.NEVER : OverwritePolicy.ALWAYS,
    include: [...(options.include ?? [])],
    exclude: [...(options.exclude ?? [])],
    deleteExtra: options.deleteExtra ?? false,
    targetPath: options.targetPath ?? "",
    dryRun: options.dryRun ?? false,
    requestId: options.requestId ?? randomUUID(),
    priority: options.priority ?? 0,
    labels: { ...options.labels },
  });
}

/**
 * The events of a restore until it ends. When the service is UNAVAILABLE it goes on after the last event seen, on
 * another replica where the address names several; attempts are counted from the last event.
 */
export function watchRestore(
  channel: Channel,
  restoreId: string,
  { cursor: from = "", signal }: WatchOptions,
): AsyncGenerator<WatchRestoreResponse> {
  const request = (cursor: string) => ({ restoreId, cursor });
  const positionOf = (event: WatchRestoreResponse) => event.cursor;
  return follow(channel, { method: RecoveryService.method.watchRestore, from, request, positionOf }, signal);
}
