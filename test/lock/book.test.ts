import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import { type Entry, soloPath } from "../../services/lock/entry.js";
import { BOOK } from "../../services/lock/script.js";
import { parseLine, type Reply, textOf, tuplesOf } from "../../services/lock/server.js";
import { conflict, normalised, type Target } from "../../services/lock/target.js";
import type { LeaseId } from "../../services/model/operation.js";
import { Cleanup } from "../cluster/cleanup.js";
import { startRedis } from "../cluster/redis.js";
import { Book } from "./book.js";
import { Dice } from "./dice.js";
import type { Listed } from "./table.js";

const RUNS = Number(process.env.SAFEFILE_TEST_LOCK_RUNS ?? 150);
const FIRST = Number(process.env.SAFEFILE_TEST_LOCK_FIRST ?? 1);
const VERBS = 40;
const PATHS = ["a", "a/b", "a/b/c", "a/d", "a0", "ab", "é", "\u{1f600}", "\u{fb01}"];
const LIVES = ["1".repeat(40), "2".repeat(40)];
const LONG_MS = [100_000, 300_000, 900_000];
const SHORT_MS = 2;
/** A line that is to last for SHORT_MS is over for both before anything else is asked. */
const OVER_MS = 6;

/** The same verbs for the script on a real Redis and for the book in memory, whose clock follows the real one's. */
class Twins {
  readonly book: Book;
  private nowMs = 0;
  private readonly real: string[] = [];
  private readonly fake: string[] = [];
  private readonly prefix = `safefile:{${randomUUID()}}:lock:`;

  constructor(
    private readonly client: Redis,
    private readonly listener: Redis,
    private readonly sha1: string,
  ) {
    this.book = new Book(
      () => this.nowMs,
      (message) => this.fake.push(message),
    );
    listener.removeAllListeners("message");
    listener.on("message", (channel: string, message: string) => {
      if (channel === `${this.prefix}c`) this.real.push(message);
    });
  }

  async begin(): Promise<void> {
    await this.listener.subscribe(`${this.prefix}c`);
  }

  async end(): Promise<void> {
    await this.listener.unsubscribe(`${this.prefix}c`);
    await this.flush();
  }

  async flush(): Promise<void> {
    const keys = await this.client.keys(`${this.prefix}*`);
    if (keys.length > 0) await this.client.del(keys);
    this.book.flush();
  }

  /** What both answer, the real one's first, and who was told; in any order, since whoever is told only asks then. */
  async run(verb: string, ...args: (string | number)[]): Promise<[real: Reply, fake: Reply]> {
    this.real.length = this.fake.length = 0;
    const real = (await this.client.evalsha(this.sha1, 1, this.prefix, verb, ...args)) as Reply;
    await this.listener.ping(); // what was published before has come
    this.nowMs = real[1] / 1000;
    const fake = this.book.run(verb, args.map(String));
    assert.deepEqual(this.real.toSorted(), this.fake.toSorted(), "who is told");
    assert.equal(new Set(this.real).size, this.real.length, "nobody is told twice");
    return [real, fake];
  }
}

type Found = readonly [id: string, text: string, leftMs: number];

/** One random history. Each step is checked against both and against the rule in plain words. */
class Story {
  private readonly entries = new Map<LeaseId, Entry>();
  private count = 0;
  private lines: readonly Listed[] = [];
  private life = LIVES[0] as string;

  constructor(
    private readonly twins: Twins,
    private readonly random: Dice,
  ) {}

  async tell(): Promise<void> {
    await this.twins.run("acquire", this.life, "x", textOf(this.entry()), 1000, 1000); // may not vote yet
    await this.bless();
    for (let at = 0; at < VERBS; at++) {
      await this.step();
      await this.look();
    }
  }

  private async step(): Promise<void> {
    const ms = this.random.chance(0.12) ? SHORT_MS : this.random.of(LONG_MS);
    const [id, entry] = this.somebody();
    const text = textOf(entry);
    const draw = this.random.below(100);
    if (draw < 45) await this.acquire(id, entry, ms);
    else if (draw < 65) await this.release();
    else if (draw < 73) await this.same("yield", id, ms);
    else if (draw < 81) await this.same("renew", id, ms);
    else if (draw < 86) await this.same("mend", this.life, id, text, ms);
    else if (draw < 91) await this.same("look", id);
    // What is installed is what held before: nothing is in its way.
    else if (draw < 95 && !this.blockers(entry).some(({ state }) => state === "holding"))
      await this.same("install", id, text, ms);
    else if (draw < 97) {
      this.life = LIVES.find((life) => life !== this.life) as string;
      if (this.random.chance(0.5)) await this.twins.flush();
      await this.same("acquire", this.life, id, text, ms, ms, soloPath(entry) ?? "");
      await this.bless();
    }
    if (ms === SHORT_MS) await sleep(OVER_MS);
  }

  /** One or several, perhaps the same one twice. */
  private async release(): Promise<void> {
    const told = Array.from({ length: 1 + this.random.below(3) }, () => {
      const [id, { targets }] = this.somebody();
      return [id, "releases", JSON.stringify(tuplesOf(targets))];
    });
    await this.same("release", ...told.flat());
  }

  private async bless(): Promise<void> {
    await this.same("bless", this.life, "look");
    await this.same("bless", this.life, "vote");
    await this.same("bless", this.life, "look");
  }

  private async acquire(id: LeaseId, entry: Entry, ms: number): Promise<void> {
    const waitMs = this.random.chance(0.8) ? ms : 0;
    const blockers = this.blockers(entry);
    const isUnderNothing =
      entry.under !== "" && !this.lines.some((line) => line.entry.id === entry.under && line.state === "holding");
    const [text, termMs] = [textOf(entry), this.random.of(LONG_MS)];
    // Who says that it wants a path alone may be answered without a closer look.
    const solo = this.random.chance(0.8) ? (soloPath(entry) ?? "") : "";
    const [real, fake] = await this.twins.run("acquire", this.life, id, text, termMs, waitMs, solo);
    assert.equal(real[0], fake[0]);
    assert.equal(real[0], isUnderNothing ? -2 : blockers.length === 0 ? 1 : 0);
    if (real[0] === 1) this.near(real, fake);
    if (real[0] !== 0) return;
    // Any of those in the way may be named. Those who died while they could wait and hold are counted for a while.
    for (const [, , theirs, text] of [real, fake]) {
      const named = blockers.find((blocker) => blocker.entry.id === theirs);
      assert.ok(named, `${theirs} is in the way`);
      assert.deepEqual(parseLine(String(theirs), String(text), 0)?.entry, named.entry);
    }
    assert.ok(Number(real[4]) >= Number(fake[4]), "who may hold while waiting");
  }

  private async same(verb: string, ...args: (string | number)[]): Promise<void> {
    const [real, fake] = await this.twins.run(verb, ...args);
    this.near(real, fake);
  }

  /** The same but for milliseconds that passed in between: terms differ by a hundred seconds and more. */
  private near(real: Reply, fake: Reply): void {
    const plain = (value: unknown): unknown =>
      typeof value === "number" && value > SHORT_MS ? Math.round(value / 50_000) : value;
    const [[result, , ...rest], [fakeResult, , ...fakeRest]] = [real, fake];
    const isSince = (value: unknown): boolean => /^[12]{40} \d+$/.test(String(value));
    const strip = (values: unknown[]) => values.map((value) => (isSince(value) ? "since" : plain(value)));
    assert.deepEqual([result, ...strip(rest)], [fakeResult, ...strip(fakeRest)]);
  }

  /** Who keeps it from holding, by the rule: who holds what conflicts, and who waits for it and came before. */
  private blockers(entry: Entry): Listed[] {
    const isBefore = (other: Entry): boolean =>
      other.rank < entry.rank || (other.rank === entry.rank && other.id < entry.id);
    return this.lines.filter(
      ({ entry: other, state }) =>
        other.id !== entry.id &&
        other.id !== entry.under &&
        (state === "holding" || (entry.under === "" && isBefore(other))) &&
        other.targets.some((theirs) => entry.targets.some((own) => conflict(theirs, own))),
    );
  }

  /** Both list the same, and nobody is there twice. No two holders conflict, but for those under one another. */
  private async look(): Promise<void> {
    const count = this.random.of([3, 100]);
    const found = new Map<string, Found>();
    // Each pages by itself: paths whose lines are all dead still count on the real one.
    for (let after = "-", isMore = true; isMore; ) {
      const [[paths, , last, lines]] = await this.twins.run("list", after, count);
      for (const line of lines as Found[]) found.set(line[0], line);
      after = `(${last}`;
      isMore = paths > 0;
    }
    const [, [, , , expected]] = await this.twins.run("list", "-", 1000);
    const [real, fake] = [[...found.values()], expected as Found[]].map((lines) =>
      lines.map(([id, text]) => `${id} ${text}`).sort(),
    );
    assert.deepEqual(real, fake);
    this.lines = [...found.values()].flatMap(([id, text, leftMs]) => {
      const line = parseLine(id, text, leftMs);
      return line ? [line] : [];
    });
    const holders = this.lines.filter(({ state }) => state === "holding");
    for (const { entry } of holders)
      for (const { entry: other } of holders)
        if (entry.id < other.id && entry.under !== other.id && other.under !== entry.id)
          for (const target of entry.targets)
            assert.ok(!other.targets.some((theirs) => conflict(theirs, target)), "two conflicting holders");
  }

  private somebody(): [LeaseId, Entry] {
    const known = [...this.entries.keys()];
    const isNew = known.length === 0 || (known.length < 14 && this.random.chance(0.3));
    const entry = isNew ? this.entry() : (this.entries.get(this.random.of(known)) as Entry);
    this.entries.set(entry.id, entry);
    return [entry.id, entry];
  }

  private entry(): Entry {
    this.count += 1;
    const { random } = this;
    const holders = this.lines.filter(({ state }) => state === "holding").map(({ entry }) => entry);
    const over = holders.length > 0 && random.chance(0.2) ? random.of(holders) : undefined;
    const targets = normalised(
      Array.from({ length: random.chance(0.3) ? 1 + random.below(3) : 1 }, () => this.target(over?.targets)),
    );
    const party = random.chance(0.2) ? "party" : "";
    const owner = { party, name: "", incarnation: "", operation: "", traceId: "", spanId: "" };
    const rank = over ? 1 : 1 + random.below(12);
    return {
      id: `${random.below(10)}.${this.count}` as LeaseId,
      targets,
      rank,
      under: over?.id ?? "",
      owner: { ...owner, isClientLock: false, priority: 0, sinceMs: 0 },
    };
  }

  private target(within: readonly Target[] | undefined): Target {
    const { random } = this;
    if (within && random.chance(0.7)) return random.of(within);
    const isRoot = random.chance(0.06);
    return {
      path: (isRoot ? "" : random.of(PATHS)) as Target["path"],
      scope: isRoot || random.chance(0.35) ? "subtree" : "path",
      mode: random.chance(0.35) ? "shared" : "exclusive",
    };
  }
}

test(`${RUNS} random histories: the script on a Redis and the book in memory answer, list and tell the same`, async (t) => {
  const cleanup = Cleanup.of(t);
  const redis = await startRedis({ cleanup });
  const [client, listener] = [new Redis(redis.url), new Redis(redis.url)];
  cleanup.defer(() => {
    client.disconnect();
    listener.disconnect();
  });
  const sha1 = (await client.script("LOAD", BOOK)) as string;
  for (let seed = FIRST; seed < FIRST + RUNS; seed++) {
    const twins = new Twins(client, listener, sha1);
    await twins.begin();
    try {
      await new Story(twins, new Dice(seed)).tell();
    } catch (error) {
      throw new Error(`history ${seed}: SAFEFILE_TEST_LOCK_FIRST=${seed} SAFEFILE_TEST_LOCK_RUNS=1`, { cause: error });
    }
    await twins.end();
  }
});
