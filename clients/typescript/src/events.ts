import type { CallOptions } from "./call-options.js";
import type { Channel } from "./channel.js";
import { follow } from "./follow.js";
import { AdminService, EventSeverity, type WatchEventsResponse } from "./gen/safefile/v1/admin_service_pb.js";

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
export function watchEvents(
  channel: Channel,
  volume: string,
  { severityMin = EventSeverity.UNSPECIFIED, resumeToken: from = "", signal }: EventsOptions,
): AsyncGenerator<WatchEventsResponse> {
  const request = (resumeToken: string) => ({ volume, severityMin, resumeToken });
  const positionOf = (event: WatchEventsResponse) => event.resumeToken;
  return follow(channel, { method: AdminService.method.watchEvents, from, request, positionOf }, signal);
}
