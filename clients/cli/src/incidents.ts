import { EventSeverity, type Incident, IncidentKind, type WatchEventsResponse } from "@safefile/client";
import type { CommandContext } from "./command-context.js";
import { CliError, EXIT } from "./failure.js";
import { incidentDocument, nameOf, timeText } from "./shown.js";

export interface IncidentsFlags {
  readonly unresolved?: boolean;
}

export interface EventsFlags {
  readonly follow?: boolean;
  readonly severity?: "info" | "warning" | "error";
  readonly resumeToken?: string;
}

/** `incidents` */
export async function incidents({ client, output, signal }: CommandContext, flags: IncidentsFlags): Promise<void> {
  for await (const incident of client.incidents({ unresolvedOnly: flags.unresolved ?? false, signal }))
    await output.item(incidentDocument(incident), incidentLine(incident));
}

/** `events --follow`: until Ctrl-C, which is no failure. */
export async function events({ client, output, signal }: CommandContext, flags: EventsFlags): Promise<void> {
  if (!flags.follow)
    throw new CliError("Say --follow to see events as they happen; `safefile incidents` lists.", EXIT.usage);
  const severityMin = SEVERITIES[flags.severity ?? "info"];
  const { resumeToken } = flags;
  try {
    for await (const event of client.watchEvents({
      severityMin,
      signal,
      ...(resumeToken === undefined ? {} : { resumeToken }),
    }))
      await output.item(eventDocument(event), eventLine(event));
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

const SEVERITIES = { info: EventSeverity.INFO, warning: EventSeverity.WARNING, error: EventSeverity.ERROR };

function eventDocument({ event, eventTime, severity, message, resumeToken }: WatchEventsResponse) {
  return {
    event: event.case ?? "unknown",
    eventTime: timeText(eventTime),
    severity: nameOf(EventSeverity, severity),
    message,
    resumeToken,
    ...(event.case === "incident" ? { incident: incidentDocument(event.value) } : {}),
  };
}

/** Heartbeats are for programs. */
function eventLine({ event, eventTime, severity, message }: WatchEventsResponse): string | undefined {
  if (event.case === "heartbeat") return undefined;
  return `${timeText(eventTime)}  ${nameOf(EventSeverity, severity).padEnd(7)}  ${message}`;
}

function incidentLine(incident: Incident): string {
  const state = incident.resolveTime === undefined ? "open" : "over";
  const kind = nameOf(IncidentKind, incident.kind);
  return `${timeText(incident.createTime)}  ${state}  ${kind.padEnd(16)}  ${incident.message}`;
}
