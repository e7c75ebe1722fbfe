import type { CallOptions } from "./call-options.js";
import { type Channel, cancelled, isServiceError } from "./channel.js";
import { FileOpsService, type WatchFilesResponse } from "./gen/safefile/v1/file_ops_service_pb.js";
import { SafefileError } from "./safefile-error.js";

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
export async function* watchFiles(
  channel: Channel,
  volume: string,
  path: string,
  { recursive = false, resumeToken: start = "", signal }: FileWatchOptions,
): AsyncGenerator<WatchFilesResponse> {
  const retry = channel.retry();
  let resumeToken = start;
  for (;;) {
    if (signal?.aborted) throw cancelled(signal, undefined, undefined);
    const request = { volume, path, recursive, resumeToken };
    const call = channel.serverStream(FileOpsService.method.watchFiles, request);
    const abort = () => call.cancel();
    call.on("error", () => undefined);
    signal?.addEventListener("abort", abort, { once: true });
    try {
      for await (const event of call as AsyncIterable<WatchFilesResponse>) {
        resumeToken = event.resumeToken;
        retry.reset();
        yield event;
      }
      return;
    } catch (error) {
      if (signal?.aborted) throw cancelled(signal, undefined, undefined);
      await retry.after(isServiceError(error) ? SafefileError.fromCall(error) : error, signal);
    } finally {
      signal?.removeEventListener("abort", abort);
      call.cancel();
    }
  }
}
