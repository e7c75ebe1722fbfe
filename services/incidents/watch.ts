import type { Incident } from "./incident.js";
import type { Incidents } from "./incidents.js";
import { type Entry, KEPT_PART } from "./ledger.js";

/** One thing that a watcher is told. `position` resumes after it. */
export interface Told {
  readonly position: string;
  readonly event: { readonly incident: Incident } | "gap" | "heartbeat";
}

export interface WatchLimits {
  /** How often the volume is looked at for what other replicas recorded. */
  readonly watchPollMs: number;
  readonly watchHeartbeatMs: number;
}

interface Happened {
  /** Names the file: an id, and whether it is the incident or its end. */
  readonly name: string;
  readonly atMs: number;
  readonly incident: Incident;
}

/** A file may be seen this long after the moment that it bears: caches of network file systems are late. */
const LATE_MS = 10_000;
/** Names within that time that a position holds; with more, an event may come again. */
const NAMES_MAX = 64;
const NAME_LETTERS = 10;
const POSITION = /^v1 \d{1,15}( [0-9A-Z]{9}[ie])*$/;

/** Up to where a watcher has seen: a moment of the volume's clock, and what it has seen of the time just before. */
class Position {
  constructor(
    readonly atMs: number,
    private readonly seen: readonly string[],
  ) {}

  static parse(text: string): Position | undefined {
    if (!POSITION.test(text)) return undefined;
    const [, atMs, ...seen] = text.split(" ");
    return new Position(Number(atMs), seen);
  }

  has({ atMs, name }: Happened): boolean {
    return atMs < this.atMs - LATE_MS || this.seen.includes(name);
  }

  after(all: readonly Happened[]): Position {
    const atMs = Math.max(this.atMs, ...all.map((each) => each.atMs));
    const recent = all.filter((each) => each.atMs >= atMs - LATE_MS).map(({ name }) => name);
    return new Position(atMs, [...new Set([...this.seen, ...recent])].slice(-NAMES_MAX));
  }

  toString(): string {
    return ["v1", this.atMs, ...this.seen].join(" ");
  }
}

export const isPosition = (text: string): boolean => Position.parse(text) !== undefined;

/**
 * What happens to the incidents of the volume, from a position or from now on. The volume is the buffer: a slow reader
 * holds nothing here but its position, and learns of a gap when what it has not seen was removed (I14).
 */
export async function* watchIncidents(
  incidents: Incidents,
  from: string,
  limits: WatchLimits,
  signal: AbortSignal,
): AsyncGenerator<Told> {
  const { ledger } = incidents;
  const first = happened(await orAborted(ledger.all(), signal));
  const resumed = Position.parse(from);
  let position = resumed ?? new Position(0, []).after(first);
  /** Names of what need not be told; never more than lie in the directory. */
  let seen = new Set(first.filter((each) => !resumed || resumed.has(each)).map(({ name }) => name));
  if (!resumed) yield { position: position.toString(), event: "heartbeat" };
  let quietSinceMs = performance.now();
  for (;;) {
    using woken = wakeUp(incidents, limits.watchPollMs, signal);
    const entries = await orAborted(ledger.all(), signal);
    const oldestMs = Math.min(...entries.map(({ recordedMs }) => recordedMs));
    // Whoever removes leaves so many: with fewer, nothing was ever removed.
    const wasPruned = entries.length >= Math.floor(ledger.incidentsMax * KEPT_PART);
    if (wasPruned && position.atMs > 0 && position.atMs < oldestMs) {
      position = new Position(oldestMs, []);
      yield { position: position.toString(), event: "gap" };
    }
    const all = happened(entries);
    const before = seen;
    seen = new Set(all.map(({ name }) => name));
    for (const each of all) {
      if (before.has(each.name)) continue;
      position = position.after([each]);
      yield { position: position.toString(), event: { incident: each.incident } };
      quietSinceMs = performance.now();
    }
    if (performance.now() - quietSinceMs >= limits.watchHeartbeatMs) {
      yield { position: position.toString(), event: "heartbeat" };
      quietSinceMs = performance.now();
    }
    await woken.promise;
    signal.throwIfAborted();
  }
}

/** Incidents, and the ends of those that ended later, oldest first. */
function happened(entries: readonly Entry[]): readonly Happened[] {
  const all = entries.flatMap(({ incident, recordedMs, resolvedMs }): Happened[] => {
    const short = incident.id.slice(1 - NAME_LETTERS);
    const { resolveTimeMs: _later, ...open } = incident;
    const begun = { name: `${short}i`, atMs: recordedMs, incident: resolvedMs === undefined ? incident : open };
    return resolvedMs === undefined ? [begun] : [begun, { name: `${short}e`, atMs: resolvedMs, incident }];
  });
  return all.sort((left, right) => left.atMs - right.atMs);
}

/** Listens from before the look on, so that nothing is missed between it and the wait. */
function wakeUp(incidents: Incidents, ms: number, signal: AbortSignal): Disposable & { promise: Promise<void> } {
  const { promise, resolve } = Promise.withResolvers<void>();
  const wake = (): void => resolve();
  const timer = setTimeout(wake, ms);
  const end = incidents.listen(wake);
  signal.addEventListener("abort", wake, { once: true });
  return {
    promise,
    [Symbol.dispose]: () => {
      clearTimeout(timer);
      end();
      signal.removeEventListener("abort", wake);
    },
  };
}

/** The volume may never answer; a watch must end all the same. */
async function orAborted<T>(call: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  const { promise, reject } = Promise.withResolvers<never>();
  const leave = (): void => reject(signal.reason);
  signal.addEventListener("abort", leave, { once: true });
  try {
    return await Promise.race([call, promise]);
  } finally {
    signal.removeEventListener("abort", leave);
  }
}
