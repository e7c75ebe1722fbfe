import type { LeaseId } from "../../model/operation.js";
import type { Quorum } from "../quorum.js";
import { type EventListener, type Line, type LockServer, parseLine } from "../server.js";
import type { LockEvent } from "./feed.js";
import type { LockRecords } from "./records.js";
import { everyone } from "./seen.js";

/** Grants of one vote come close together; one that is older was taken back. */
const VOTE_MS = 2_000;

interface Known {
  line: Line;
  state: "holding" | "waiting" | undefined;
  /** When which server granted it. */
  readonly grantedMs: Map<LockServer, number>;
  readonly waitsAt: Set<LockServer>;
  /** How many looks in a row did not find it. */
  missing: number;
}

/**
 * Makes one story of what all lock servers tell: each grant, wait and end once. Looks at the books as well, for what
 * nobody tells: that a lock expired, and what was missed while a server was away.
 */
export class Tracker implements EventListener {
  private readonly known = new Map<LeaseId, Known>();
  private readonly away = new Set<LockServer>();
  private readonly ending: (() => Promise<void>)[] = [];
  private users = 0;
  private beginning: Promise<void> | undefined;
  private ended: Promise<void> = Promise.resolve();
  private timer: NodeJS.Timeout | undefined;
  private isBehind = false;

  constructor(
    private readonly quorum: Quorum,
    private readonly records: LockRecords,
    private readonly pollMs: number,
    private readonly tell: (event: LockEvent) => void,
  ) {}

  *held(): Generator<Line> {
    for (const { line, state } of this.known.values()) if (state === "holding") yield line;
  }

  /** Resolves once it knows who holds. Throws LOCK_UNAVAILABLE when no majority of the servers answers. */
  async begin(): Promise<void> {
    this.users += 1;
    this.beginning ??= this.listen();
    await this.beginning;
  }

  private async listen(): Promise<void> {
    await this.ended;
    for (const server of this.quorum.servers) this.ending.push(await server.listen(this));
    try {
      this.takeAll(await everyone(this.quorum));
    } catch (error) {
      this.beginning = undefined;
      throw error;
    }
    this.poll();
  }

  end(): Promise<void> {
    this.users = 0;
    this.beginning = undefined;
    clearTimeout(this.timer);
    this.known.clear();
    this.away.clear();
    this.ended = Promise.all(this.ending.splice(0).map((end) => end())).then(() => undefined);
    return this.ended;
  }

  private poll(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.look()
        .catch(() => {
          this.isBehind = true;
        })
        .finally(() => {
          if (this.users > 0) this.poll();
        });
    }, this.pollMs).unref();
  }

  missed(server: LockServer): void {
    if (!this.away.has(server)) this.isBehind = true;
    this.away.add(server);
  }

  event(server: LockServer, text: string): void {
    this.away.delete(server);
    const [what = "", id = ""] = text.split(" ", 2);
    const line = parseLine(id, `h${text.slice(what.length + id.length + 2)}`, 0);
    if (!line || !this.beginning) return;
    if (what === "holds") this.holds(server, line);
    else if (what === "waits") this.waits(server, line);
    else this.ends(server, id as LeaseId, what);
  }

  private knownOf(line: Line): Known {
    const { id } = line.entry;
    const known = this.known.get(id) ?? {
      line,
      state: undefined,
      grantedMs: new Map<LockServer, number>(),
      waitsAt: new Set<LockServer>(),
      missing: 0,
    };
    this.known.set(id, known);
    return known;
  }

  private holds(server: LockServer, line: Line): void {
    const known = this.knownOf(line);
    const nowMs = performance.now();
    known.grantedMs.set(server, nowMs);
    known.waitsAt.delete(server);
    const votes = [...known.grantedMs.values()].filter((grantedMs) => nowMs - grantedMs < VOTE_MS).length;
    if (known.state === "holding" || votes < this.quorum.majority) return;
    known.state = "holding";
    this.tell({ kind: "ACQUIRED", line: known.line });
  }

  private waits(server: LockServer, line: Line): void {
    const known = this.knownOf(line);
    known.waitsAt.add(server);
    if (known.state !== undefined) return;
    known.state = "waiting";
    this.tell({ kind: "WAIT_STARTED", line: known.line });
  }

  private ends(server: LockServer, id: LeaseId, what: string): void {
    const known = this.known.get(id);
    if (!known) return;
    known.grantedMs.delete(server);
    known.waitsAt.delete(server);
    const [why, more = ""] = what.split(".", 2);
    const reason = Buffer.from(more, "base64url").toString();
    const { state, line } = known;
    if (state === "holding") {
      this.known.delete(id);
      if (why === "breaks") this.tell({ kind: "BROKEN", line, reason });
      else this.tell({ kind: why === "ends" ? "EXPIRED" : "RELEASED", line });
    } else if (why === "circles") {
      this.known.delete(id);
      this.tell({ kind: "DEADLOCK", line, parties: partiesOf(reason) });
    } else if (why === "leaves" || known.grantedMs.size + known.waitsAt.size === 0) {
      this.known.delete(id);
      if (state === "waiting") this.tell({ kind: "WAIT_ENDED", line });
    }
  }

  /** What the books say now. What is missing, or new, twice in a row was not told. */
  private async look(): Promise<void> {
    const before = new Set(this.known.values());
    const lines = new Map((await everyone(this.quorum)).map((line) => [line.entry.id, line]));
    for (const server of this.quorum.servers) if (server.isConnected) this.away.delete(server);
    if (this.isBehind) return this.beginAnew([...lines.values()]);
    for (const known of before) {
      const { id } = known.line.entry;
      const found = lines.get(id);
      if (this.known.get(id) !== known) continue;
      known.missing = found?.state === known.state ? 0 : known.missing + 1;
      if (known.missing < 2) continue;
      if (found) this.correct(known, found);
      else if (known.state === "holding" && (await this.mayLast(id))) return this.beginAnew([...lines.values()]);
      else {
        this.known.delete(id);
        if (known.state) this.tell({ kind: known.state === "holding" ? "EXPIRED" : "WAIT_ENDED", line: known.line });
      }
    }
    // Those that nobody has told of, or not yet: the next look knows.
    for (const line of lines.values()) this.knownOf(line);
  }

  /** The books have said twice that it is otherwise than was told. */
  private correct(known: Known, { state, entry, remainingMs }: Line): void {
    const before = known.state;
    known.state = state;
    known.missing = 0;
    const line = { entry, state, remainingMs };
    if (state === "holding") this.tell({ kind: "ACQUIRED", line });
    else if (before === undefined) this.tell({ kind: "WAIT_STARTED", line });
  }

  /** Whether a client's lock that the servers do not know any more cannot have expired: then they have forgotten it. */
  private async mayLast(id: LeaseId): Promise<boolean> {
    const kept = await this.records.kept(id);
    return kept !== undefined && kept.touchedMs + kept.ttlMs > Date.now();
  }

  private beginAnew(lines: readonly Line[]): void {
    this.isBehind = false;
    this.takeAll(lines);
    this.tell({ kind: "GAP" });
  }

  private takeAll(lines: readonly Line[]): void {
    this.known.clear();
    for (const line of lines) this.takeOne(line);
  }

  private takeOne(line: Line): void {
    const known = this.knownOf(line);
    known.line = line;
    known.state = line.state;
    known.missing = 0;
  }
}

/** Redis is untrusted input. */
function partiesOf(text: string): string[] {
  try {
    const parties: unknown = JSON.parse(text);
    return Array.isArray(parties) ? parties.filter((party) => typeof party === "string") : [];
  } catch {
    return [];
  }
}
