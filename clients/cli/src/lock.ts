import { spawn } from "node:child_process";
import { constants } from "node:os";
import {
  type HeldLock,
  type Lock,
  type LockEntry,
  LockEventKind,
  LockMode,
  type LockOptions,
  LockScope,
  type LockWaiter,
  type LockWish,
  Outcome,
  type WatchLocksResponse,
} from "@safefile/client";
import { type CommandContext, volumePath } from "./command-context.js";
import { EXIT } from "./failure.js";
import { msOf, nameOf, timeText } from "./shown.js";

export interface LockFlags {
  readonly tree?: boolean;
  readonly shared?: boolean;
  readonly ttl?: number;
  readonly wait?: number;
  readonly priority?: number;
  readonly owner?: string;
  readonly requestId?: string;
  readonly label?: Readonly<Record<string, string>>;
  readonly run?: string;
}

export interface LocksFlags {
  readonly clientsOnly?: boolean;
  readonly follow?: boolean;
  readonly resumeToken?: string;
}

/** `lock PATH…`: prints the lock, or runs a command under it. Returns the exit code. */
export async function lock(context: CommandContext, typed: readonly string[], flags: LockFlags): Promise<number> {
  const { client, output, signal } = context;
  const { tree: subtree = false, shared = false, run } = flags;
  const wishes: LockWish[] = typed.map((each) => ({ path: volumePath(each), subtree, shared }));
  if (run !== undefined)
    return await client.locks.withLock(wishes, (held) => runUnder(held, run, signal), lockOptions(flags, signal));
  const got = await client.locks.acquire(wishes, lockOptions(flags, signal));
  await output.result(lockDocument(got), got.lockId);
  output.note(`locked until ${timeText(got.expireTime)}; \`safefile unlock ${got.lockId}\` ends it`);
  return EXIT.ok;
}

function lockOptions({ ttl, wait, priority, owner, requestId, label }: LockFlags, signal: AbortSignal): LockOptions {
  return {
    signal,
    ...(ttl === undefined ? {} : { ttlMs: ttl * 1_000 }),
    ...(wait === undefined ? {} : { lockWaitMs: wait * 1_000 }),
    ...(priority === undefined ? {} : { priority }),
    ...(owner === undefined ? {} : { owner }),
    ...(requestId === undefined ? {} : { requestId }),
    ...(label === undefined ? {} : { labels: label }),
  };
}

/** Runs a command of the shell, which is told to end when the lock is lost. */
async function runUnder(held: HeldLock, command: string, interrupt: AbortSignal): Promise<number> {
  const env = {
    ...process.env,
    SAFEFILE_LOCK_ID: held.lockId,
    SAFEFILE_FENCING_TOKEN: String(held.fencingToken),
  };
  // A group of its own, so that what the shell started ends with it.
  const child = spawn("/bin/sh", ["-c", command], { stdio: "inherit", env, detached: true });
  const end = (): void => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, "SIGTERM");
    } catch {
      // It has ended by itself.
    }
  };
  held.signal.addEventListener("abort", end, { once: true });
  interrupt.addEventListener("abort", end, { once: true });
  if (held.signal.aborted || interrupt.aborted) end();
  try {
    return await new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("exit", (code, signal) => resolve(code ?? 128 + (signal ? constants.signals[signal] : 0)));
    });
  } finally {
    held.signal.removeEventListener("abort", end);
    interrupt.removeEventListener("abort", end);
  }
}

/** `unlock LOCK-ID` */
export async function unlock({ client, output, signal }: CommandContext, lockId: string): Promise<void> {
  const released = await client.locks.release(lockId, { signal });
  await output.result({ lockId, released }, released ? `${lockId} is released` : `${lockId} had ended already`);
}

/** `break-lock LOCK-ID` */
export async function breakLock(
  { client, output, signal }: CommandContext,
  lockId: string,
  { reason, requestId }: { readonly reason: string; readonly requestId?: string },
): Promise<void> {
  const { lock: broken, outcome } = await client.locks.break(lockId, reason, {
    signal,
    ...(requestId === undefined ? {} : { requestId }),
  });
  const document = {
    lock: broken ? lockDocument(broken) : null,
    outcome: outcome === Outcome.UNSPECIFIED ? null : nameOf(Outcome, outcome),
  };
  await output.result(document, `${lockId} is broken${BECAME[outcome] ?? ""}`);
}

const BECAME: Readonly<Record<number, string>> = {
  [Outcome.COMMITTED]: "; the change that used it is committed",
  [Outcome.NOT_COMMITTED]: "; the change that used it was stopped, and changed nothing",
};

/** `locks [PATH]` */
export async function locks(
  { client, output, signal }: CommandContext,
  typed: string | undefined,
  { clientsOnly: clientLocksOnly = false, follow = false, resumeToken }: LocksFlags,
): Promise<void> {
  const path = typed === undefined ? "" : volumePath(typed);
  if (!follow) {
    for await (const entry of client.locks.list({ path, clientLocksOnly, signal })) {
      await output.item(entryDocument(entry), lockLine("held", entry.lock));
      if (!output.json) for (const waiter of entry.waiters) await output.item({}, `  ${waiterLine("waits", waiter)}`);
    }
    return;
  }
  const from = resumeToken === undefined ? {} : { resumeToken };
  try {
    for await (const event of client.locks.watch({ path, clientLocksOnly, signal, ...from }))
      await output.item(eventDocument(event), eventLine(event));
  } catch (error) {
    if (!signal.aborted) throw error; // Ctrl-C is no failure
  }
}

/** `wait-graph` */
export async function waitGraph({ client, output, signal }: CommandContext): Promise<void> {
  const { parties, edges, cycles } = await client.locks.waitGraph({ signal });
  const names = new Map(parties.map(({ partyId, owner }) => [partyId, owner?.name || owner?.operationId || partyId]));
  const document = {
    parties: parties.map(({ partyId, owner, priority, startTime }) => ({
      party: partyId,
      ...ownerDocument(owner),
      priority,
      startTime: timeText(startTime),
    })),
    edges: edges.map(({ waiterPartyId, holderPartyId, target, waitStartTime }) => ({
      waiter: waiterPartyId,
      holder: holderPartyId,
      path: target?.path ?? "",
      waitStartTime: timeText(waitStartTime),
    })),
    cycles: cycles.map(({ partyIds, victimPartyId }) => ({ parties: partyIds, victim: victimPartyId })),
  };
  const lines = edges.map(
    ({ waiterPartyId, holderPartyId, target }) =>
      `${names.get(waiterPartyId)} waits for ${names.get(holderPartyId)} on ${target?.path || "/"}`,
  );
  const circles = cycles.map(({ partyIds, victimPartyId }) => {
    const inside = partyIds.map((id) => names.get(id)).join(" -> ");
    return `circle: ${inside}; ${names.get(victimPartyId)} gives way`;
  });
  await output.result(document, ...(edges.length === 0 ? ["nobody waits"] : lines), ...circles);
}

function ownerDocument(owner: Lock["owner"]) {
  const { name = "", incarnation = "", operationId = "", traceId = "" } = owner ?? {};
  return { owner: name, incarnation, operationId, traceId };
}

function targetDocument(target: { path: string; scope: LockScope; mode: LockMode } | undefined) {
  return {
    path: target?.path ?? "",
    scope: nameOf(LockScope, target?.scope ?? 0),
    mode: nameOf(LockMode, target?.mode ?? 0),
  };
}

function lockDocument(held: Lock) {
  return {
    lockId: held.lockId,
    targets: held.targets.map(({ target, fencingToken }) => ({
      ...targetDocument(target),
      fencingToken: Number(fencingToken),
    })),
    ...ownerDocument(held.owner),
    clientLock: held.clientLock,
    priority: held.priority,
    acquireTime: timeText(held.acquireTime),
    expireTime: timeText(held.expireTime),
    remainingMs: held.remaining ? msOf(held.remaining) : 0,
    waiters: held.waiters,
    labels: held.labels,
  };
}

const waiterDocument = (waiter: LockWaiter) => ({
  waiterId: waiter.waiterId,
  targets: waiter.targets.map(targetDocument),
  ...ownerDocument(waiter.owner),
  priority: waiter.priority,
  waitStartTime: timeText(waiter.waitStartTime),
  position: waiter.position,
});

const entryDocument = ({ lock: held, waiters }: LockEntry) => ({
  ...(held ? lockDocument(held) : {}),
  waiting: waiters.map(waiterDocument),
});

function eventDocument({ kind, eventTime, resumeToken, lock: held, waiter, reason }: WatchLocksResponse) {
  return {
    event: nameOf(LockEventKind, kind),
    eventTime: timeText(eventTime),
    resumeToken,
    ...(held ? { lock: lockDocument(held) } : {}),
    ...(waiter ? { waiter: waiterDocument(waiter) } : {}),
    ...(reason === "" ? {} : { reason }),
  };
}

/** Heartbeats are for programs. */
function eventLine({ kind, eventTime, lock: held, waiter, reason }: WatchLocksResponse): string | undefined {
  if (kind === LockEventKind.HEARTBEAT) return undefined;
  const what = nameOf(LockEventKind, kind).padEnd(12);
  const line = waiter ? waiterLine(what, waiter) : held ? lockLine(what, held) : what;
  return `${timeText(eventTime)}  ${line}${reason === "" ? "" : `  ${reason}`}`;
}

function lockLine(what: string, held: Lock | undefined): string {
  const whose = held?.owner?.name || held?.owner?.operationId || "-";
  const seconds = held?.remaining ? Math.round(msOf(held.remaining) / 1_000) : 0;
  return `${what}  ${held?.lockId}  ${paths(held?.targets.map(({ target }) => target) ?? [])}  ${whose}  ${seconds} s left, ${held?.waiters ?? 0} waiting`;
}

const waiterLine = (what: string, waiter: LockWaiter): string =>
  `${what}  ${waiter.waiterId}  ${paths(waiter.targets)}  ${waiter.owner?.name || waiter.owner?.operationId || "-"}`;

function paths(targets: readonly ({ path: string; scope: LockScope } | undefined)[]): string {
  const [first] = targets;
  const shown = first?.scope === LockScope.SUBTREE ? `${first.path}/` : (first?.path ?? "");
  return targets.length > 1 ? `${shown} and ${targets.length - 1} more` : shown;
}
