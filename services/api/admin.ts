import { randomUUID } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import { durationMs } from "@bufbuild/protobuf/wkt";
import {
  type AdminService,
  type DrainReplicaRequest,
  DrainReplicaResponseSchema,
} from "../gen/safefile/v1/admin_service_pb.js";
import type { Handlers } from "./call.js";
import type { IncidentReports } from "./incidents.js";
import { checkRequestId, refuse } from "./wire.js";

/** What became of the changes that were under way when a replica began to leave. */
export interface Drained {
  readonly finished: number;
  readonly aborted: number;
}

/** The replica as those see it who may take it out. */
export interface Drains {
  readonly id: string;
  /** Leaves in good order, within a bounded time. Repeated, it joins the first. */
  drain(drainMs: number): Promise<Drained>;
  /** Told of it, with what the caller gave as the reason. */
  onDrain(reason: string): void;
}

const REASON_LENGTH_MAX = 512;

/** AdminService, as far as it is built. */
export class Admin {
  constructor(
    private readonly replica: Drains,
    private readonly incidents: IncidentReports,
    private readonly limits: { readonly drainMs: number; readonly drainMsMax: number },
  ) {}

  readonly handlers: Handlers<typeof AdminService> = {
    watchEvents: (request, context) => this.incidents.watch(request, context),
    drainReplica: (request) => this.drainReplica(request),
  };

  private async drainReplica(request: DrainReplicaRequest) {
    const incarnation = this.replica.id;
    if (request.incarnation !== "" && request.incarnation !== incarnation)
      refuse("incarnation", `names another replica; this one is ${incarnation}, and each drains only itself`);
    const { reason, drainWait } = request;
    if (reason === "" || reason.length > REASON_LENGTH_MAX)
      refuse("reason", `must have 1 to ${REASON_LENGTH_MAX} characters`);
    const requestId = checkRequestId(request.requestId, "request_id") || randomUUID();
    const waitMs = drainWait ? durationMs(drainWait) : this.limits.drainMs;
    if (waitMs < 0 || (drainWait?.nanos ?? 0) < 0 || waitMs > this.limits.drainMsMax)
      refuse("drain_wait", `must be from 0 to ${this.limits.drainMsMax} ms`);
    // Begun first: its wait is this one's, not the default of an ordinary end.
    const draining = this.replica.drain(waitMs);
    this.replica.onDrain(reason);
    const { finished, aborted } = await draining;
    return create(DrainReplicaResponseSchema, {
      incarnation,
      operationsFinished: BigInt(finished),
      operationsAborted: BigInt(aborted),
      requestId,
    });
  }
}
