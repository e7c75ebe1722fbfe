import type { CallOptions } from "./call-options.js";
import type { Channel } from "./channel.js";
import { follow } from "./follow.js";
import { FileOpsService, type WatchFilesResponse } from "./gen/safefile/v1/file_ops_service_pb.js";

export interface FileWatchOptions extends Pick<CallOptions, "signal" | "volume"> {
  /** Also what is below at any depth. The path itself and its direct entries unless given. */
  readonly recursive?: boolean;
  /** `resumeToken` of the last event seen. From now on unless given. */
  readonly resumeToken?: string;
}

/**
 * The changes of a file or tree. When the service is UNAVAILABLE it goes on after the last event seen, on another
 * replica where the address names several; attempts are counted from the last event.
 */
export function watchFiles(
  channel: Channel,
  volume: string,
  path: string,
  { recursive = false, resumeToken: from = "", signal }: FileWatchOptions,
): AsyncGenerator<WatchFilesResponse> {
  const request = (resumeToken: string) => ({ volume, path, recursive, resumeToken });
  const positionOf = (event: WatchFilesResponse) => event.resumeToken;
  return follow(channel, { method: FileOpsService.method.watchFiles, from, request, positionOf }, signal);
}
