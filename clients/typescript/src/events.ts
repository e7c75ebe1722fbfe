import type { CallOptions } from "./call-options.js";
import { type Channel, cancelled, isServiceError } from "./channel.js";
import { AdminService, EventSeverity, type WatchEventsResponse } from "./gen/safefile/v1/admin_service_pb.js";
import { SafefileError } from "./safefile-error.js";

export interface EventsOptions extends Pick<CallOptions, "signal" | "volume"> {
  /** Only what matters at least so much. */
  readonly severityMin?: EventSeverity;
  /** `resumeToken` of the last message seen. From now on unless given. */
  readonly resumeToken?: string;
}

/**
 * Events until the signal ends it. When the service is UNAVAILABLE, because its replica drains for example, it goes on
 * after the last message seen, on another replica where the address names several.
 */
export async function* watchEvents(
  channel: Channel,
  volume: string,
  { severityMin = EventSeverity.UNSPECIFIED, resumeToken: start = "", signal }: EventsOptions,
): AsyncGenerator<WatchEventsResponse> {
  const retry = channel.retry();
  let resumeToken = start;
  for (;;) {
    if (signal?.aborted) throw cancelled(signal, undefined, undefined);
    const call = channel.serverStream(AdminService.method.watchEvents, { volume, severityMin, resumeToken });
    const abort = () => call.cancel();
    call.on("error", () => undefined);
    signal?.addEventListener("abort", abort, { once: true });
    try {
      for await (const event of call as AsyncIterable<WatchEventsResponse>) {
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
