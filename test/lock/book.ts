import type { Entry } from "../../services/lock/entry.js";
import { parseLine, type Reply } from "../../services/lock/server.js";
import { conflict, overlap, type Target } from "../../services/lock/target.js";
import type { LeaseId } from "../../services/model/operation.js";
import { LockTable } from "./table.js";

/** The book of one lock server, as services/lock/script.ts keeps it, in the memory of a simulation. */
export class Book {
  private readonly table = new LockTable();
  /** The text and the end of each entry. */
  private readonly lines = new Map<LeaseId, { text: string; untilMs: number }>();
  private ready: string | undefined;
  private since: string | undefined;

  constructor(
    private readonly nowMs: () => number,
    private readonly publish: (message: string) => void,
  ) {}

  /** All memory is lost. */
  flush(): void {
    for (const id of this.lines.keys()) this.table.remove(id);
    this.lines.clear();
    this.ready = this.since = undefined;
  }

  /** Leases end before their time. Returns how many there were. */
  lose(): number {
    const { size } = this.lines;
    for (const id of [...this.lines.keys()]) this.forget(id);
    return size;
  }

  run(verb: string, args: readonly string[]): Reply {
    for (const [id, { untilMs }] of [...this.lines]) if (untilMs <= this.nowMs()) this.forget(id);
    const nowUs = Math.round(this.nowMs() * 1000);
    const [first = "", second = "", third = "", fourth = "", fifth = ""] = args;
    switch (verb) {
      case "acquire":
        return this.acquire(nowUs, first, second as LeaseId, third, Number(fourth), Number(fifth));
      case "renew":
        return this.renew(nowUs, first as LeaseId, Number(second));
      case "mend":
        return this.mend(nowUs, first, second as LeaseId, third, Number(fourth));
      case "yield":
        return this.yield(nowUs, first as LeaseId, Number(second));
      case "release":
        return this.release(nowUs, args);
      case "install":
        this.put(first as LeaseId, `h${second}`, Number(third));
        return [1, nowUs];
      case "look": {
        const line = this.lines.get(first as LeaseId);
        return [line ? 1 : 0, nowUs, line?.text ?? "", line ? this.left(first as LeaseId) : -2];
      }
      case "list":
        return this.list(nowUs, first, Number(second));
      case "bless":
        return this.bless(nowUs, first, second);
      default:
        throw new Error(`the fake book does not know ${verb}`);
    }
  }

  private left(id: LeaseId): number {
    return (this.lines.get(id)?.untilMs ?? 0) - this.nowMs();
  }

  private forget(id: LeaseId): void {
    this.lines.delete(id);
    this.table.remove(id);
  }

  private put(id: LeaseId, text: string, ms: number): void {
    const line = parseLine(id, text, 0);
    if (!line) throw new Error(`no entry: ${text}`);
    this.table.put(line.entry, line.state);
    this.lines.set(id, { text, untilMs: this.nowMs() + ms });
  }

  private get parties(): number {
    return [...this.table.list()].filter(({ entry }) => entry.owner.party !== "").length;
  }

  private acquire(nowUs: number, run: string, id: LeaseId, text: string, termMs: number, waitMs: number): Reply {
    if (this.ready !== run) return [-1, nowUs];
    const entry = parseLine(id, `w${text}`, 0)?.entry as Entry;
    const remainingMs = this.termOf(entry.under);
    if (remainingMs === undefined) return [-2, nowUs];
    const [blocker] = this.table.blockers(entry);
    if (!blocker) {
      this.put(id, `h${text}`, termMs);
      return [1, nowUs, remainingMs, this.wanted(entry)];
    }
    if (waitMs > 0) {
      this.put(id, `w${text}`, waitMs);
      this.tellHolders(entry);
    }
    return [0, nowUs, blocker.entry.id, this.lines.get(blocker.entry.id)?.text, this.parties];
  }

  /** How long what it acts under is still held; undefined when it is over. */
  private termOf(under: LeaseId | ""): number | undefined {
    if (under === "") return 0;
    return this.table.get(under)?.state === "holding" ? this.left(under) : undefined;
  }

  /** The lowest rank of those who wait on these paths, or for a subtree over them. */
  private wanted({ id, targets }: Entry): string {
    const ranks = [...this.table.list()]
      .filter(({ state, entry }) => state === "waiting" && entry.id !== id)
      .filter(({ entry }) => entry.targets.some((theirs) => targets.some((own) => isAtOrOver(theirs, own))))
      .map(({ entry }) => entry.rank);
    return ranks.length > 0 ? Math.min(...ranks).toFixed(0) : "";
  }

  /** Those who hold one path alone in the way of `entry`. */
  private tellHolders(entry: Entry): void {
    for (const { state, entry: theirs } of this.table.list()) {
      const isInTheWay = theirs.targets.some(
        (target) =>
          target.scope === "path" && target.mode === "exclusive" && entry.targets.some((own) => conflict(own, target)),
      );
      if (state === "holding" && isInTheWay && theirs.id !== entry.id && theirs.id !== entry.under)
        this.publish(`want ${theirs.id} ${entry.rank.toFixed(0)}`);
    }
  }

  private renew(nowUs: number, id: LeaseId, termMs: number): Reply {
    const line = this.table.get(id);
    const text = this.lines.get(id)?.text;
    if (line?.state !== "holding" || !text) return [0, nowUs];
    const remainingMs = this.termOf(line.entry.under);
    if (remainingMs === undefined) return [-2, nowUs];
    this.lines.set(id, { text, untilMs: this.nowMs() + termMs });
    return [1, nowUs, remainingMs, this.wanted(line.entry)];
  }

  private mend(nowUs: number, run: string, id: LeaseId, text: string, termMs: number): Reply {
    if (this.ready !== run) return [-1, nowUs];
    const entry = parseLine(id, `h${text}`, 0)?.entry as Entry;
    if ([...this.table.blockers(entry)].some(({ state }) => state === "holding")) return [0, nowUs];
    this.put(id, `h${text}`, termMs);
    return [1, nowUs];
  }

  private yield(nowUs: number, id: LeaseId, waitMs: number): Reply {
    const text = this.lines.get(id)?.text;
    const line = this.table.get(id);
    if (!line || line.state === "waiting" || !text) return [line ? 1 : 0, nowUs];
    this.put(id, `w${text.slice(1)}`, waitMs);
    this.wake(line.entry.targets);
    return [1, nowUs];
  }

  private release(nowUs: number, args: readonly string[]): Reply {
    let count = 0;
    const free: Target[] = [];
    for (let at = 0; at < args.length; at += 3) {
      const [id = "", , targets = "[]"] = args.slice(at, at + 3);
      if (this.lines.has(id as LeaseId)) count += 1;
      this.forget(id as LeaseId);
      free.push(...targetsOf(targets));
    }
    this.wake(free);
    return [count, nowUs];
  }

  /** Tells who waits for one of these, or for a subtree over it, or below it where it is one, and could hold it now. */
  private wake(targets: readonly Target[]): void {
    for (const { entry, state } of this.table.list())
      if (state === "waiting" && entry.targets.some((own) => targets.some((target) => overlap(own, target))))
        if (!this.table.isBlocked(entry)) this.publish(`go ${entry.id}`);
  }

  private list(nowUs: number, after: string, count: number): Reply {
    const paths = [...new Set([...this.table.list()].flatMap(({ entry }) => entry.targets.map(({ path }) => path)))]
      .sort((left, right) => Buffer.compare(Buffer.from(left), Buffer.from(right)))
      .filter((path) => (after.startsWith("(") ? path > after.slice(1) : true))
      .slice(0, count);
    const ids = [...this.table.list()].filter(({ entry }) => entry.targets.some(({ path }) => paths.includes(path)));
    const found = ids.map(({ entry: { id } }) => [id, this.lines.get(id)?.text, this.left(id)]);
    return [paths.length, nowUs, paths.at(-1) ?? "", found];
  }

  private bless(nowUs: number, run: string, how: string): Reply {
    if (this.ready === run) return [1, nowUs, ""];
    if (!this.since?.startsWith(`${run} `)) this.since = `${run} ${nowUs}`;
    if (how === "vote") this.ready = run;
    return [how === "vote" ? 1 : 0, nowUs, this.since];
  }
}

const isAtOrOver = (theirs: Target, own: Target): boolean =>
  theirs.path === own.path || (theirs.scope === "subtree" && overlap(theirs, { ...own, scope: "path" }));

/** As they are written for servers. */
function targetsOf(text: string): Target[] {
  const entry = parseLine("", `h{"t":${text}}`, 0)?.entry;
  return [...(entry?.targets ?? [])];
}
