/** Locks ↔ messages of the wire. */
import { create } from "@bufbuild/protobuf";
import { type Duration, durationMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import { LimitExceededError } from "../errors/index.js";
import * as v1 from "../gen/safefile/v1/lock_service_pb.js";
import type { HeldLock } from "../lock/client-locks/client-locks.js";
import type { LockRecord } from "../lock/client-locks/record.js";
import type { Owner } from "../lock/entry.js";
import type { Line } from "../lock/server.js";
import type { Target } from "../lock/target.js";
import type { FilePath } from "../model/path.js";
import { canonicalDirectory } from "../validate/path.js";
import { refuse, toDuration } from "./wire.js";

const SCOPES: Record<Target["scope"], v1.LockScope> = { path: v1.LockScope.PATH, subtree: v1.LockScope.SUBTREE };
const MODES: Record<Target["mode"], v1.LockMode> = {
  exclusive: v1.LockMode.EXCLUSIVE,
  shared: v1.LockMode.SHARED,
};

export interface TargetLimits {
  readonly lockTargetsMax: number;
  readonly lockPathBytesMax: number;
}

/** What is to be locked; no two of them overlap. */
export function fromTargets(targets: readonly v1.LockTarget[], limits: TargetLimits): Target[] {
  const { lockTargetsMax, lockPathBytesMax } = limits;
  if (targets.length === 0) refuse("targets", "must have at least one target");
  if (targets.length > lockTargetsMax) refuse("targets", `must have at most ${lockTargetsMax} targets`);
  const found = targets.map(fromTarget);
  const bytes = found.reduce((sum, { path }) => sum + Buffer.byteLength(path), 0);
  if (bytes > lockPathBytesMax)
    throw new LimitExceededError({ field: "targets", limit: `${lockPathBytesMax} bytes of paths` });
  checkOverlaps(found);
  return found;
}

function fromTarget({ path, scope, mode }: v1.LockTarget, at: number): Target {
  const field = `targets[${at}]`;
  if (!(scope in v1.LockScope)) refuse(`${field}.scope`, "is not one that this server knows");
  if (!(mode in v1.LockMode)) refuse(`${field}.mode`, "is not one that this server knows");
  const isSubtree = scope === v1.LockScope.SUBTREE;
  if (path === "" && !isSubtree) refuse(`${field}.path`, "is the root, which can be locked with all below it only");
  return {
    path: canonicalDirectory(path, `${field}.path`),
    scope: isSubtree ? "subtree" : "path",
    mode: mode === v1.LockMode.SHARED ? "shared" : "exclusive",
  };
}

/** Each is looked for among those before it by its path and all directories over it. */
function checkOverlaps(targets: readonly Target[]): void {
  const scopes = new Map<string, Target["scope"]>();
  for (const [at, { path, scope }] of targets.entries()) {
    if (scopes.has(path)) refuse(`targets[${at}]`, "is given twice");
    scopes.set(path, scope);
  }
  for (const [at, { path }] of targets.entries())
    for (const above of directoriesOver(path))
      if (scopes.get(above) === "subtree") refuse(`targets[${at}]`, "lies below another target, which covers it");
}

function* directoriesOver(path: string): Generator<string> {
  if (path === "") return;
  for (let end = path.lastIndexOf("/"); end > 0; end = path.lastIndexOf("/", end - 1)) yield path.slice(0, end);
  yield "";
}

/** Unset or zero is the server's default; more than its limit is the limit. */
export function fromTtl(
  ttl: Duration | undefined,
  { lockTtlMs, lockTtlMsMax }: { readonly lockTtlMs: number; readonly lockTtlMsMax: number },
): number {
  if (!ttl) return lockTtlMs;
  if (ttl.seconds < 0n || ttl.nanos < 0) refuse("ttl", "must not be negative");
  const ttlMs = durationMs(ttl);
  return ttl.seconds === 0n && ttl.nanos === 0 ? lockTtlMs : Math.min(Math.max(1, Math.ceil(ttlMs)), lockTtlMsMax);
}

/** Text for people: no control characters, and no more than `lengthMax` characters. */
export function checkName(text: string, lengthMax: number, field: string): string {
  if (text.length > lengthMax) refuse(field, `must have at most ${lengthMax} characters`);
  if (/\p{Cc}/u.test(text)) refuse(field, "must not have control characters");
  return text;
}

export const toTarget = ({ path, scope, mode }: Target): v1.LockTarget =>
  create(v1.LockTargetSchema, { path, scope: SCOPES[scope], mode: MODES[mode] });

export const toOwner = ({ name, incarnation, operation, traceId }: Owner, operationId = operation): v1.LockOwner =>
  create(v1.LockOwnerSchema, { name, incarnation, operationId, traceId });

/** A lock of LockService that is held. */
export const toHeldLock = (volume: string, { record, remainingMs }: HeldLock): v1.Lock =>
  toLock(volume, { entry: record.entry, state: "holding", remainingMs }, record);

/** A lock or lease; `record` is what the volume has of it, `operation` what uses it now. */
export function toLock(
  volume: string,
  { entry, remainingMs }: Line,
  record: LockRecord | undefined,
  { operation, waiters = 0 }: { operation?: string | undefined; waiters?: number } = {},
): v1.Lock {
  const { id, targets, owner } = entry;
  return create(v1.LockSchema, {
    lockId: id,
    volume,
    targets: targets.map((target, at) => ({
      target: toTarget(target),
      fencingToken: BigInt(record?.tokens[at] ?? 0),
    })),
    owner: toOwner(owner, operation ?? owner.operation),
    clientLock: owner.isClientLock,
    priority: owner.priority,
    acquireTime: timestampFromMs(record?.acquireTimeMs ?? owner.sinceMs),
    expireTime: timestampFromMs(Math.round(Date.now() + remainingMs)),
    remaining: toDuration(remainingMs),
    waiters,
    labels: { ...record?.labels },
  });
}

export const toWaiter = (volume: string, { entry }: Line, position: number): v1.LockWaiter =>
  create(v1.LockWaiterSchema, {
    waiterId: entry.id,
    volume,
    targets: entry.targets.map(toTarget),
    owner: toOwner(entry.owner),
    priority: entry.owner.priority,
    waitStartTime: timestampFromMs(entry.owner.sinceMs),
    position,
  });

/** Whether a target covers, or lies at or below, `path`. */
export const touches = (targets: readonly Target[], path: FilePath | ""): boolean =>
  targets.some(
    ({ path: theirs, scope }) =>
      theirs === path ||
      path === "" ||
      theirs.startsWith(`${path}/`) ||
      (scope === "subtree" && (theirs === "" || path.startsWith(`${theirs}/`))),
  );
