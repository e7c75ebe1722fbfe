import assert from "node:assert/strict";

/** One path of a request, as its caller asked for it. */
export interface Asked {
  readonly path: string;
  readonly kind: "WRITE" | "DELETE" | "ROLLBACK";
  /** What the path is to hold afterwards; undefined for a delete. */
  readonly content: string | undefined;
  /** The revision that a rollback takes it from. */
  readonly source?: number;
  readonly ifRevision: number | undefined;
  readonly etag: string | undefined;
}

/** One try of a request at one replica. */
export interface Attempt {
  readonly request: Request;
  operation: string | undefined;
  outcome: "OPEN" | "COMMITTED" | "NOT_COMMITTED" | "UNKNOWN";
  reason: string;
}

export interface Request {
  readonly id: string;
  readonly asked: readonly Asked[];
  readonly attempts: Attempt[];
  /** What an acknowledgement named: the operation, and the revision of each path. */
  acknowledged: { operation: string; revisions: ReadonlyMap<string, number> } | undefined;
}

/** One revision as the service tells of it in the end. */
export interface Told {
  readonly revision: number;
  readonly operation: string;
  readonly kind: string;
  readonly content: string | undefined;
  readonly epoch: number;
  readonly baseOperation: string;
  readonly requestId: string;
}

const NONE = "-";

/** What callers asked for and were told, to be held against what is there in the end. It knows nothing of the service
 * but its promises. */
export class Ledger {
  readonly requests = new Map<string, Request>();
  private readonly byOperation = new Map<string, Request>();
  /** What somebody outside put at a path, or what a power cut made of it. */
  private readonly outside = new Map<string, Set<string | undefined>>();
  /** Paths whose live file is not the service's doing at present. */
  readonly touched = new Set<string>();
  /** Per path, the operations in the order in which they were published; a cut starts anew. */
  private readonly published = new Map<string, string[][]>();

  begin(id: string, asked: readonly Asked[]): Request {
    const request: Request = { id, asked, attempts: [], acknowledged: undefined };
    this.requests.set(id, request);
    return request;
  }

  started(attempt: Attempt, operation: string): void {
    attempt.operation = operation;
    this.byOperation.set(operation, attempt.request);
  }

  acknowledge(attempt: Attempt, operation: string, revisions: ReadonlyMap<string, number>): void {
    const { request } = attempt;
    attempt.outcome = "COMMITTED";
    const first = request.acknowledged;
    if (first) assert.equal(operation, first.operation, `I5: request ${request.id} was acknowledged as two operations`);
    request.acknowledged = { operation, revisions };
  }

  fromOutside(path: string, content: string | undefined): void {
    this.outside.set(path, (this.outside.get(path) ?? new Set()).add(content));
    this.touched.add(path);
  }

  publish(path: string, operation: string): void {
    const runs = this.published.get(path) ?? [[]];
    runs.at(-1)?.push(operation);
    this.published.set(path, runs);
    this.touched.delete(path);
  }

  cut(): void {
    for (const runs of this.published.values()) runs.push([]);
  }

  /** Whether `content` is what somebody asked for or put there: never a part of one, or of two (I2). */
  isWhole(path: string, content: string): boolean {
    if (this.outside.get(path)?.has(content)) return true;
    for (const { asked } of this.requests.values())
      if (asked.some((each) => each.path === path && each.content === content)) return true;
    return false;
  }

  wasDeleted(path: string): boolean {
    if (this.outside.get(path)?.has(undefined)) return true;
    for (const { asked } of this.requests.values())
      if (asked.some((each) => each.path === path && each.content === undefined)) return true;
    return false;
  }

  /** Holds one path's history, oldest first, and its live file against all that was asked and told. */
  checkPath(path: string, history: readonly Told[], live: string | undefined): void {
    history.forEach((told, at) => {
      assert.equal(told.revision, at + 1, `I4: revision ${at + 1} of ${path} is missing`);
      if (told.kind === "EXTERNAL" || told.kind === "EXTERNAL_DELETE") {
        const isKnown = this.outside.get(path)?.has(told.content);
        assert(isKnown, `I3: revision ${told.revision} of ${path} is called ${told.kind}, but nobody outside did that`);
      } else this.checkRevision(path, told, history[at - 1]);
    });
    const chain = history.filter(({ kind }) => !kind.startsWith("EXTERNAL"));
    chain.forEach((told, at) => {
      const before = chain[at - 1];
      assert.equal(told.baseOperation, before?.operation ?? NONE, `I3: a revision of ${path} was lost under another`);
      assert(told.epoch > (before?.epoch ?? 0), `the epoch of ${path} did not grow`);
    });
    this.checkPublished(
      path,
      chain.map(({ operation }) => operation),
    );
    const newest = history.at(-1);
    if (!this.touched.has(path)) assert.equal(live, newest?.content, `I1/I2: the live file of ${path} is not its head`);
    else if (live !== newest?.content)
      assert(this.outside.get(path)?.has(live), `I2: nobody put at ${path} what is there`);
  }

  private checkRevision(path: string, told: Told, before: Told | undefined): void {
    const request = this.byOperation.get(told.operation);
    const asked = request?.asked.find((each) => each.path === path);
    assert(request && asked, `I3: nobody asked for ${told.operation} on ${path}`);
    assert.equal(told.requestId, request.id);
    assert.equal(told.content, asked.content, `I1/I4: revision ${told.revision} of ${path} has other bytes`);
    const { ifRevision, etag } = asked;
    if (ifRevision === 0)
      assert.equal(before?.content, undefined, `a create of ${path} replaced revision ${before?.revision}`);
    else if (ifRevision !== undefined)
      assert.equal(before?.revision, ifRevision, `I3: ${path} was to be changed at revision ${ifRevision} only`);
    if (etag !== undefined && !etag.startsWith('"x-'))
      assert.equal(`"${before?.operation}"`, etag, `I3: ${path} was to be changed at ${etag} only`);
  }

  private checkPublished(path: string, chain: readonly string[]): void {
    for (const run of this.published.get(path) ?? []) {
      let last = -1;
      for (const operation of run) {
        const at = chain.indexOf(operation);
        if (at < 0 && this.wasUndone(operation, path)) continue;
        assert(at >= 0, `I6: ${operation} was published at ${path} and is not in its history`);
        assert(at > last, `I3: ${operation} was published at ${path} over a later revision`);
        last = at;
      }
    }
  }

  /**
   * Whether `operation` was a create that somebody outside may have removed before its owner passed the baton on: then
   * nothing tells it from one that never was, and it counts as stopped.
   */
  private wasUndone(operation: string, path: string): boolean {
    const request = this.byOperation.get(operation);
    const asked = request?.asked.find((each) => each.path === path);
    const isAcknowledged = request?.acknowledged?.operation === operation;
    return asked?.ifRevision === 0 && !isAcknowledged && (this.outside.get(path)?.has(undefined) ?? false);
  }

  /** Holds every request against the operations that are in the histories of the paths. */
  checkRequests(committed: ReadonlyMap<string, ReadonlyMap<string, number>>): void {
    for (const request of this.requests.values()) {
      const operations = new Set<string>();
      for (const { operation, outcome, reason } of request.attempts) {
        if (operation === undefined) continue;
        const paths = committed.get(operation);
        if (paths) operations.add(operation);
        // A try that was answered with an earlier one's outcome made nothing itself.
        if (outcome === "NOT_COMMITTED")
          assert.equal(paths, undefined, `I5: ${operation} was said not to be committed (${reason}), and is`);
        if (paths) assert.equal(paths.size, request.asked.length, `I17: ${operation} is in a part of its paths only`);
      }
      assert(operations.size <= 1, `I5: request ${request.id} was carried out as ${[...operations].join(" and ")}`);
      const { acknowledged } = request;
      if (!acknowledged) continue;
      const paths = committed.get(acknowledged.operation);
      assert(paths, `I1: ${acknowledged.operation} was acknowledged and is gone`);
      assert.deepEqual(paths, acknowledged.revisions, `I1: ${acknowledged.operation} was acknowledged as others`);
    }
  }
}
