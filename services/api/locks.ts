import { createHash, randomUUID } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import {
  type AcquireLockRequest,
  AcquireLockResponseSchema,
  type LockService,
  type ReleaseLockRequest,
  ReleaseLockResponseSchema,
  type RenewLockRequest,
  RenewLockResponseSchema,
} from "../gen/safefile/v1/lock_service_pb.js";
import { type ClientLocks, pathOf } from "../lock/client-locks/client-locks.js";
import { said } from "../protocol/said.js";
import type { CallContext, Handlers } from "./call.js";
import { checkName, fromTargets, fromTtl, type TargetLimits, toHeldLock } from "./lock-wire.js";
import type { Gate } from "./mutations.js";
import {
  checkLabels,
  checkLockId,
  checkLockWait,
  checkPriority,
  checkRequestId,
  checkVolume,
  toDuration,
} from "./wire.js";

export interface LocksLimits extends TargetLimits {
  readonly lockTtlMs: number;
  readonly lockTtlMsMax: number;
  readonly lockWaitMs: number;
  readonly lockWaitMsMax: number;
}

const NAME_LENGTH_MAX = 128;

/** LockService: what clients do with locks of their own. */
export class Locks {
  constructor(
    private readonly volumeName: string,
    private readonly limits: LocksLimits,
    private readonly locks: ClientLocks,
    private readonly gate: Gate,
  ) {}

  readonly handlers: Handlers<typeof LockService> = {
    acquireLock: (request, context) => this.acquireLock(request, context).catch(saying),
    renewLock: (request) => this.renewLock(request).catch(saying),
    releaseLock: (request) => this.releaseLock(request).catch(saying),
  };

  private async acquireLock(request: AcquireLockRequest, { signal, traceId, facts }: CallContext) {
    checkVolume(request.volume, this.volumeName);
    const targets = fromTargets(request.targets, this.limits);
    const ttlMs = fromTtl(request.ttl, this.limits);
    const waitMs = checkLockWait(request.lockWait, this.limits, "lock_wait");
    const priority = checkPriority(request.priority, "priority");
    const given = checkRequestId(request.requestId, "request_id");
    const name = checkName(request.ownerName, NAME_LENGTH_MAX, "owner_name");
    const session = checkName(request.session, NAME_LENGTH_MAX, "session");
    const labels = checkLabels(request.labels, "labels");
    const refusal = this.gate.refusal();
    if (refusal) throw refusal;
    const requestId = given || randomUUID();
    facts.set("volume", this.volumeName).set("path", pathOf(targets)).set("request_id", requestId);
    const asked = [targets.map(({ path, scope, mode }) => [path, scope, mode]).sort(), ttlMs, priority, name, session];
    const essence = JSON.stringify([...asked, Object.entries(labels).sort()]);
    const { lock, waitedMs } = await this.locks.acquire({
      ...{ targets, ttlMs, waitMs, priority, requestId, name, labels, traceId, signal },
      requestSha256: createHash("sha256").update(essence).digest("hex"),
      party: session,
    });
    return create(AcquireLockResponseSchema, {
      lock: toHeldLock(this.volumeName, lock),
      waited: toDuration(waitedMs),
      requestId,
      traceId,
    });
  }

  private async renewLock(request: RenewLockRequest) {
    const lockId = checkLockId(request.lockId);
    const ttlMs = fromTtl(request.ttl, this.limits);
    const lock = await this.locks.renew(lockId, ttlMs);
    return create(RenewLockResponseSchema, { lock: toHeldLock(this.volumeName, lock) });
  }

  private async releaseLock(request: ReleaseLockRequest) {
    const released = await this.locks.release(checkLockId(request.lockId));
    return create(ReleaseLockResponseSchema, { released });
  }
}

/** Nothing of a file was changed, whatever went wrong. */
function saying(error: unknown): never {
  throw said(error);
}
