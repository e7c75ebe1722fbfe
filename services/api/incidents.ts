import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { OverloadedError } from "../errors/index.js";
import {
  EventSeverity,
  type WatchEventsRequest,
  type WatchEventsResponse,
  WatchEventsResponseSchema,
} from "../gen/safefile/v1/admin_service_pb.js";
import * as v1 from "../gen/safefile/v1/common_pb.js";
import { type ListIncidentsRequest, ListIncidentsResponseSchema } from "../gen/safefile/v1/recovery_service_pb.js";
import type { Incident, IncidentKind } from "../incidents/incident.js";
import type { Incidents } from "../incidents/incidents.js";
import { order } from "../incidents/ledger.js";
import { isPosition, type Told, type WatchLimits, watchIncidents } from "../incidents/watch.js";
import type { CallContext } from "./call.js";
import { checkPageSize, checkVolume, fromPageToken, refuse, toPageToken } from "./wire.js";

export interface IncidentReportsLimits extends WatchLimits {
  readonly eventWatchesMax: number;
}

const SEVERITIES: Record<IncidentKind, EventSeverity> = {
  REPLICA_DEAD: EventSeverity.WARNING,
  OPERATION_FENCED: EventSeverity.INFO,
  EXTERNAL_CHANGE: EventSeverity.WARNING,
  CORRUPTION: EventSeverity.ERROR,
  DURABILITY: EventSeverity.ERROR,
  REPLAY: EventSeverity.WARNING,
  VOLUME: EventSeverity.ERROR,
  INDEX: EventSeverity.WARNING,
  LOCK_BROKEN: EventSeverity.WARNING,
};
/** Which filter, then the place in the order: time and id. */
const PAGE = /^[01] \d{16}\.[0-9A-Z]{26}$/;

/** Incidents as pages and as a stream. */
export class IncidentReports {
  private watches = 0;

  constructor(
    private readonly volumeName: string,
    private readonly incidents: Incidents,
    private readonly limits: IncidentReportsLimits,
  ) {}

  async list(request: ListIncidentsRequest) {
    checkVolume(request.volume, this.volumeName);
    const size = checkPageSize(request.pageSize);
    const filter = request.unresolvedOnly ? "1" : "0";
    const token = fromPageToken(request.pageToken);
    if (token !== "" && !PAGE.test(token)) refuse("page_token", "is not one that a page gave");
    if (token !== "" && !token.startsWith(filter)) refuse("page_token", "belongs to another value of unresolved_only");
    const all = (await this.incidents.ledger.all()).filter(
      (entry) =>
        (!request.unresolvedOnly || entry.incident.resolveTimeMs === undefined) &&
        (token === "" || order(entry) < token.slice(2)),
    );
    const page = all.slice(0, size);
    const last = page.at(-1);
    return create(ListIncidentsResponseSchema, {
      incidents: page.map(({ incident }) => this.toIncident(incident)),
      nextPageToken: last && all.length > page.length ? toPageToken(`${filter} ${order(last)}`) : "",
    });
  }

  async *watch(request: WatchEventsRequest, { signal }: CallContext): AsyncGenerator<WatchEventsResponse> {
    checkVolume(request.volume, this.volumeName);
    if (!(request.severityMin in EventSeverity)) refuse("severity_min", "is not one that this server knows");
    const from = Buffer.from(request.resumeToken, "base64url").toString();
    if (toPageToken(from) !== request.resumeToken || (from !== "" && !isPosition(from)))
      refuse("resume_token", "is not one that an event gave");
    const { eventWatchesMax } = this.limits;
    if (this.watches >= eventWatchesMax)
      throw new OverloadedError({ what: "watches of events", limit: eventWatchesMax });
    this.watches += 1;
    try {
      for await (const told of watchIncidents(this.incidents, from, this.limits, signal)) {
        const message = this.toEvent(told);
        // What carries only a token goes to everybody: it bounds what a resumed watch has to look through.
        if (message.event.case !== "incident" || message.severity >= request.severityMin) yield message;
      }
    } finally {
      this.watches -= 1;
    }
  }

  private toEvent({ position, event }: Told): WatchEventsResponse {
    const resumeToken = toPageToken(position);
    const now = { resumeToken, eventTime: timestampFromMs(Date.now()) };
    if (event === "heartbeat")
      return create(WatchEventsResponseSchema, {
        ...now,
        severity: EventSeverity.INFO,
        message: "Nothing happened for a while.",
        event: { case: "heartbeat", value: {} },
      });
    if (event === "gap")
      return create(WatchEventsResponseSchema, {
        ...now,
        severity: EventSeverity.WARNING,
        message: "Events were missed: they were removed before they were read.",
        event: { case: "gap", value: {} },
      });
    const { incident } = event;
    const { createTimeMs, resolveTimeMs } = incident;
    const isEnd = resolveTimeMs !== undefined && resolveTimeMs - createTimeMs > 0;
    return create(WatchEventsResponseSchema, {
      resumeToken,
      eventTime: timestampFromMs(resolveTimeMs ?? createTimeMs),
      severity: SEVERITIES[incident.kind],
      message: isEnd ? `Over: ${incident.message}` : incident.message,
      event: { case: "incident", value: this.toIncident(incident) },
    });
  }

  private toIncident(incident: Incident): v1.Incident {
    const { resolveTimeMs, outcome } = incident;
    return create(v1.IncidentSchema, {
      incidentId: incident.id,
      volume: this.volumeName,
      kind: v1.IncidentKind[incident.kind],
      createTime: timestampFromMs(incident.createTimeMs),
      ...(resolveTimeMs === undefined ? {} : { resolveTime: timestampFromMs(resolveTimeMs) }),
      incarnation: incident.incarnation,
      subjectIncarnation: incident.subject,
      operationId: incident.operation,
      ...(outcome ? { outcome: v1.Outcome[outcome] } : {}),
      path: incident.path,
      revision: BigInt(incident.revision),
      message: incident.message,
      traceId: incident.traceId,
    });
  }
}
