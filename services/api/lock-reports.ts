import { randomUUID } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Outcome } from "../gen/safefile/v1/common_pb.js";
import {
  type BreakLockRequest,
  BreakLockResponseSchema,
  type GetWaitGraphRequest,
  GetWaitGraphResponseSchema,
  type ListLocksRequest,
  ListLocksResponseSchema,
  LockEventKind,
  type LockService,
  type WatchLocksRequest,
  WatchLocksResponseSchema,
} from "../gen/safefile/v1/lock_service_pb.js";
import type { Breaking } from "../lock/client-locks/breaking.js";
import type { Broken } from "../lock/client-locks/broken.js";
import { isLockToken, type LockFeed, type ToldEvent } from "../lock/client-locks/feed.js";
import { comparePlaces, type Listed, listing, placeOf } from "../lock/client-locks/listing.js";
import type { LockRecords } from "../lock/client-locks/records.js";
import { everyone } from "../lock/client-locks/seen.js";
import { waitGraph } from "../lock/graph.js";
import type { Leases } from "../lock/leases.js";
import type { Line } from "../lock/server.js";
import { said } from "../protocol/said.js";
import { canonicalDirectory } from "../validate/path.js";
import type { CallContext, Handlers } from "./call.js";
import { checkName, toLock, toOwner, toTarget, touches, toWaiter } from "./lock-wire.js";
import { checkLockId, checkPageSize, checkRequestId, checkVolume, fromPageToken, refuse, toPageToken } from "./wire.js";

const REASON_LENGTH_MAX = 512;
const WAITERS_MAX = 100;

/** What LockService works on. */
export interface LockParts {
  readonly leases: Leases;
  readonly records: LockRecords;
  readonly breaking: Breaking;
  readonly feed: LockFeed;
}

/** LockService: what everybody's locks and leases are, and what an administrator does about them. */
export class LockReports {
  constructor(
    private readonly volumeName: string,
    private readonly parts: LockParts,
    /** Told of each lock that was broken; resolves once that is recorded, or cannot be. */
    private readonly onBroken: (broken: Broken, traceId: string) => Promise<void>,
  ) {}

  readonly handlers: Handlers<typeof LockService> = {
    listLocks: (request) => this.listLocks(request),
    getWaitGraph: (request) => this.getWaitGraph(request),
    breakLock: (request, context) => this.breakLock(request, context),
    watchLocks: (request, context) => this.watchLocks(request, context),
  };

  private async listLocks(request: ListLocksRequest) {
    checkVolume(request.volume, this.volumeName);
    const size = checkPageSize(request.pageSize);
    const path = canonicalDirectory(request.path);
    const filter = `${request.clientLocksOnly ? 1 : 0} ${path}`;
    const after = placeIn(request.pageToken, filter);
    const all = listing(await everyone(this.parts.leases.quorum)).filter(
      ({ line }) =>
        this.isWanted(line, path, request.clientLocksOnly) && (!after || comparePlaces(placeOf(line), after) > 0),
    );
    const page = all.slice(0, size);
    const last = page.at(-1);
    return create(ListLocksResponseSchema, {
      locks: await Promise.all(page.map((listed) => this.entryOf(listed))),
      nextPageToken:
        last && all.length > page.length ? toPageToken(JSON.stringify([filter, ...placeOf(last.line)])) : "",
    });
  }

  private isWanted({ entry }: Line, path: ReturnType<typeof canonicalDirectory>, clientLocksOnly: boolean): boolean {
    return touches(entry.targets, path) && (entry.owner.isClientLock || !clientLocksOnly);
  }

  private async entryOf({ line, waiters, operation }: Listed) {
    const { id, owner } = line.entry;
    const record = owner.isClientLock ? await this.parts.records.recordOf(id) : undefined;
    return {
      lock: toLock(this.volumeName, line, record, { operation, waiters: waiters.length }),
      waiters: waiters.slice(0, WAITERS_MAX).map((waiter, at) => toWaiter(this.volumeName, waiter, at + 1)),
    };
  }

  private async getWaitGraph(request: GetWaitGraphRequest) {
    checkVolume(request.volume, this.volumeName);
    const { parties, edges, circles } = waitGraph(await everyone(this.parts.leases.quorum));
    return create(GetWaitGraphResponseSchema, {
      parties: parties.map(({ id, owner, priority, sinceMs }) => ({
        partyId: id,
        owner: toOwner(owner),
        priority,
        startTime: timestampFromMs(sinceMs),
      })),
      edges: edges.map(({ waiter, holder, target, sinceMs }) => ({
        waiterPartyId: waiter,
        holderPartyId: holder,
        target: toTarget(target),
        waitStartTime: timestampFromMs(sinceMs),
      })),
      cycles: circles.map((circle) => ({ partyIds: [...circle.parties], victimPartyId: circle.victim })),
      snapshotTime: timestampFromMs(Date.now()),
    });
  }

  private async breakLock(request: BreakLockRequest, { traceId, facts }: CallContext) {
    const lockId = checkLockId(request.lockId);
    const reason = checkName(request.reason, REASON_LENGTH_MAX, "reason");
    if (reason === "") refuse("reason", `must have 1 to ${REASON_LENGTH_MAX} characters`);
    const requestId = checkRequestId(request.requestId, "request_id") || randomUUID();
    facts.set("volume", this.volumeName).set("request_id", requestId);
    const broken = await this.parts.breaking.break(lockId, reason, requestId).catch((error: unknown) => {
      throw said(error);
    });
    if (!broken.isRepeated) await this.onBroken(broken, traceId);
    const { line, record, outcome } = broken;
    return create(BreakLockResponseSchema, {
      lock: toLock(this.volumeName, line, record),
      ...(outcome && { outcome: Outcome[outcome] }),
      requestId,
    });
  }

  private async *watchLocks(request: WatchLocksRequest, { signal }: CallContext) {
    checkVolume(request.volume, this.volumeName);
    const path = canonicalDirectory(request.path);
    const { resumeToken, clientLocksOnly } = request;
    if (resumeToken !== "" && !isLockToken(resumeToken)) refuse("resume_token", "is not one that a watch gave");
    const isWanted = (line: Line): boolean => this.isWanted(line, path, clientLocksOnly);
    for await (const event of this.parts.feed.watch(resumeToken !== "", signal, isWanted)) yield this.messageOf(event);
  }

  private messageOf({ kind, line, record, reason = "", parties, token }: ToldEvent) {
    const isWaiter = kind === "WAIT_STARTED" || kind === "WAIT_ENDED" || kind === "DEADLOCK";
    return create(WatchLocksResponseSchema, {
      resumeToken: token,
      kind: LockEventKind[kind],
      eventTime: timestampFromMs(Date.now()),
      ...(line && (isWaiter ? { waiter: toWaiter(this.volumeName, line, 0) } : { lock: this.lockOf(line, record) })),
      ...(parties && { cycle: { partyIds: [...parties], victimPartyId: parties[0] ?? "" } }),
      reason,
    });
  }

  private lockOf(line: Line, record: ToldEvent["record"]) {
    return toLock(this.volumeName, line, record);
  }
}

/** The place after which a page begins. */
function placeIn(pageToken: string, filter: string): readonly [string, string] | undefined {
  const text = fromPageToken(pageToken);
  if (text === "") return undefined;
  let parts: unknown;
  try {
    parts = JSON.parse(text);
  } catch {
    parts = undefined;
  }
  if (!Array.isArray(parts) || parts.length !== 3 || !parts.every((part) => typeof part === "string"))
    refuse("page_token", "is not one that a page gave");
  const [of, path, id] = parts as [string, string, string];
  if (of !== filter) refuse("page_token", "belongs to another path or client_locks_only");
  return [path, id];
}
