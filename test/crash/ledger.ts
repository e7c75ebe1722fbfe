import assert from "node:assert/strict";
import { status as Code } from "@grpc/grpc-js";
import { isReason, type SafefileClient, SafefileError } from "@safefile/client";
import { contentOf, nameIn } from "./content.js";

/** What a caller was told of one write. */
interface Entry {
  readonly name: string;
  readonly path: string;
  outcome: "COMMITTED" | "NOT_COMMITTED" | "OPEN";
  revision: number;
}

/** How long a caller goes on asking for an outcome until the test counts it as never resolved. */
/** Revisions read at once: most of the time of a check goes by waiting for them. */
const READS = 16;
const RESOLVE_MS_MAX = 60_000;

/** What ends a write for good: it was not made, and asking again would be another write. */
const FINAL = ["PRECONDITION_FAILED", "LOCK_FENCED", "LOCK_LOST"] as const;

/** Who writes: takes one of the clients, another one when that fails. */
export class Caller {
  constructor(
    private readonly clients: () => readonly SafefileClient[],
    private at: number,
  ) {}
  get client(): SafefileClient {
    const clients = this.clients();
    return clients[this.at % clients.length] as SafefileClient;
  }
  next(): void {
    this.at += 1;
  }
}

/** Everything that callers were told, to be held against what the service says in the end. */
export class Ledger {
  readonly entries: Entry[] = [];
  readonly reasons = new Map<string, number>();

  /** How many writes were acknowledged. */
  get committed(): number {
    return this.entries.filter(({ outcome }) => outcome === "COMMITTED").length;
  }

  /**
   * Writes once, and asks again with the same request id, at other replicas too, until the outcome is known: so every
   * write ends COMMITTED or NOT_COMMITTED, whatever was killed meanwhile (I5).
   */
  async write(caller: Caller, write: { path: string; name: string; sizeBytes: number; etag?: string }): Promise<Entry> {
    const { path, name, sizeBytes } = write;
    const entry: Entry = { name, path, outcome: "OPEN", revision: 0 };
    this.entries.push(entry);
    const bytes = contentOf(name, sizeBytes);
    const untilMs = performance.now() + RESOLVE_MS_MAX;
    for (;;) {
      try {
        const options = { requestId: name.replaceAll("/", ":"), ...(write.etag ? { etag: write.etag } : {}) };
        const result = await caller.client.write(path, bytes, options);
        entry.revision = Number(result.revision?.revision);
        entry.outcome = "COMMITTED";
        return entry;
      } catch (error) {
        if (!(error instanceof SafefileError)) throw error;
        this.count(error.reason ?? `code ${error.code}`);
        if (FINAL.some((reason) => isReason(error, reason))) {
          assert.equal(error.outcome, "NOT_COMMITTED");
          entry.outcome = "NOT_COMMITTED";
          return entry;
        }
        if (error.outcome === "NOT_COMMITTED" && error.code !== Code.UNAVAILABLE) throw error;
        assert(performance.now() < untilMs, `the outcome of ${name} is not known after ${RESOLVE_MS_MAX} ms: ${error}`);
        caller.next();
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
  }

  /** What callers have been told up to now; writes under way count as open. */
  snapshot(): Ledger {
    const copy = new Ledger();
    copy.entries.push(...this.entries.map((entry) => ({ ...entry })));
    return copy;
  }

  count(reason: string): void {
    this.reasons.set(reason, (this.reasons.get(reason) ?? 0) + 1);
  }

  /**
   * Holds every entry against the history: each acknowledged write is the revision it was said to be, bit for bit
   * (I1, I4); nothing that was said not to be committed is there (I5); nothing is there twice; nothing is torn (I2).
   */
  async check(client: SafefileClient): Promise<{ revisions: number }> {
    let revisions = 0;
    for (const path of new Set(this.entries.map((entry) => entry.path))) {
      const history = new Map<string, number>();
      const due: number[] = [];
      const isKnown = this.entries.some((entry) => entry.path === path && entry.outcome === "COMMITTED");
      if (!isKnown && !(await exists(client, path))) continue;
      for await (const { revision } of client.revisions(path)) due.push(Number(revision));
      const queue = due.values();
      const read = async (): Promise<void> => {
        for (const revision of queue) {
          const { bytes } = await client.readRevision(path, revision);
          const name = nameIn(bytes);
          assert.equal(history.get(name), undefined, `${name} is in the history of ${path} twice`);
          history.set(name, revision);
          revisions += 1;
        }
      };
      await Promise.all(Array.from({ length: READS }, read));
      const newest = due[0] ?? 0;
      assert.deepEqual(
        due,
        Array.from({ length: newest }, (_, back) => newest - back),
        `a revision of ${path} is missing`,
      );
      for (const entry of this.entries.filter((each) => each.path === path)) {
        const found = history.get(entry.name);
        if (entry.outcome === "COMMITTED")
          assert.equal(found, entry.revision, `acknowledged ${entry.name} is not there`);
        if (entry.outcome === "NOT_COMMITTED")
          assert.equal(found, undefined, `${entry.name} was said not to be committed`);
      }
      if (newest === 0) continue;
      const live = await client.read(path);
      assert.equal(history.get(nameIn(live.bytes)), newest, `the live file of ${path} is not its newest revision`);
      assert.equal(Number(live.file.revision), newest);
    }
    return { revisions };
  }
}

async function exists(client: SafefileClient, path: string): Promise<boolean> {
  try {
    await client.stat(path);
    return true;
  } catch (error) {
    if (isReason(error, "PATH_NOT_FOUND")) return false;
    throw error;
  }
}
