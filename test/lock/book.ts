import type { Entry } from "../../services/lock/entry.js";
import { parseLine, type Reply } from "../../services/lock/server.js";
import type { Target } from "../../services/lock/target.js";
import type { LeaseId } from "../../services/model/operation.js";
import { LockTable } from "./table.js";

/** The book of one lock server, as services/lock/script.ts keeps it, in the memory of a simulation. */
export class Book {
  private readonly table = new LockTable();
  /** The text and the end of each entry. */
  private readonly lines = new Map<LeaseId, { text: string; untilMs: number }>();
  private ready: string | undefined;
  private since: { run: string; us: number } | undefined;

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
      case "yield":
        return this.yield(nowUs, first as LeaseId, Number(fourth));
      case "release":
        return this.release(nowUs, first as LeaseId);
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
        return this.bless(nowUs, first, second, Number(third));
      default:
        throw new Error(`the fake book does not know ${verb}`);
    }
  }

  private left(id: LeaseId): number {
    return (this.lines.get(id)?.untilMs ?? 0) - this.nowMs();
  }

  private forget(id: LeaseId): Entry[] {
    this.lines.delete(id);
    return this.table.remove(id);
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
    if (entry.under !== "" && !this.lines.has(entry.under)) return [-2, nowUs];
    const remainingMs = entry.under === "" ? 0 : this.left(entry.under);
    const blocker = this.table.blockers(entry).next().value;
    if (!blocker) {
      this.put(id, `h${text}`, termMs);
      return [1, nowUs, remainingMs];
    }
    if (waitMs > 0) {
      this.put(id, `w${text}`, waitMs);
      if (blocker.state === "holding") this.publish(`want ${blocker.entry.id} ${entry.rank.toFixed(0)}`);
    }
    return [0, nowUs, blocker.entry.id, this.lines.get(blocker.entry.id)?.text, this.parties];
  }

  private renew(nowUs: number, id: LeaseId, termMs: number): Reply {
    const line = this.table.get(id);
    const text = this.lines.get(id)?.text;
    if (line?.state !== "holding" || !text) return [0, nowUs];
    const { under, targets } = line.entry;
    if (under !== "" && !this.lines.has(under)) return [-2, nowUs];
    this.lines.set(id, { text, untilMs: this.nowMs() + termMs });
    const waiting = [...this.table.list()].filter(
      ({ state, entry }) =>
        state === "waiting" && entry.targets.some(({ path }) => targets.some((own) => own.path === path)),
    );
    const first = waiting.length > 0 ? Math.min(...waiting.map(({ entry }) => entry.rank)).toFixed(0) : "";
    return [1, nowUs, under === "" ? 0 : this.left(under), first];
  }

  private yield(nowUs: number, id: LeaseId, waitMs: number): Reply {
    const text = this.lines.get(id)?.text;
    const line = this.table.get(id);
    if (text && line?.state === "holding") this.put(id, `w${text.slice(1)}`, waitMs);
    if (line) this.wake(line.entry.targets);
    return [text ? 1 : 0, nowUs];
  }

  private release(nowUs: number, id: LeaseId): Reply {
    const isThere = this.lines.has(id);
    for (const { id: next } of this.forget(id)) this.publish(`go ${next}`);
    return [isThere ? 1 : 0, nowUs];
  }

  private wake(targets: readonly Target[]): void {
    for (const { entry, state } of this.table.list())
      if (state === "waiting" && entry.targets.some((own) => targets.some(({ path }) => path === own.path)))
        if (!this.table.isBlocked(entry)) this.publish(`go ${entry.id}`);
  }

  private list(nowUs: number, after: string, count: number): Reply {
    const paths = [...new Set([...this.table.list()].flatMap(({ entry }) => entry.targets.map(({ path }) => path)))]
      .sort()
      .filter((path) => (after.startsWith("(") ? path > after.slice(1) : true))
      .slice(0, count);
    const ids = [...this.table.list()].filter(({ entry }) => entry.targets.some(({ path }) => paths.includes(path)));
    const found = ids.map(({ entry: { id } }) => [id, this.lines.get(id)?.text, this.left(id)]);
    return [paths.length, nowUs, paths.at(-1) ?? "", found];
  }

  private bless(nowUs: number, run: string, how: string, termMs: number): Reply {
    if (this.ready === run) return [1, nowUs, 0];
    if (this.since?.run !== run) this.since = { run, us: nowUs };
    if (how === "vote") this.ready = run;
    return [how === "vote" ? 1 : 0, nowUs, Math.ceil(termMs - (nowUs - this.since.us) / 1000)];
  }
}
