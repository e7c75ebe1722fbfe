import { BackupStorageError, IndexUnavailableError, PathNotPlainError } from "../errors/index.js";
import type { Known } from "../index/index.js";
import type { Journals } from "../journal/journals.js";
import type { Lease } from "../lock/lease.js";
import type { Content } from "../model/content.js";
import { eachOf } from "../model/each.js";
import { NO_OPERATION } from "../model/operation.js";
import type { Check, Intent } from "../model/operation-request.js";
import type { FilePath } from "../model/path.js";
import { type ExternalChange, leavesNothing, type OperationRecord, onlyPath, withoutBytes } from "../model/record.js";
import { EarlierOutcome } from "../protocol/earlier-outcome.js";
import { etagOf, type Head, type Heads, outsideEtagOf } from "../protocol/heads.js";
import { volumeError } from "../protocol/said.js";
import type { Store } from "../store/store.js";
import type { Plan } from "../validate/plan.js";
import { checkCondition, checkPreconditions, type FoundFile } from "../validate/preconditions.js";
import { checkType } from "../validate/validate.js";
import { type LiveName, NotPlainError, type Stat, unless, type Volume } from "../volume/volume.js";
import type { Base, PathBase } from "./base.js";
import { capture } from "./capture.js";

export interface BackupLimits {
  readonly inlineBytesMax: number;
  readonly recordBytesMax: number;
  /** On a network volume, how long a cache may show an older file than the baton names. */
  readonly baseSettleMs: number;
  /** How far the index may lie behind one path before it has to be rebuilt. */
  readonly notIndexedMax: number;
}

const SETTLE_STEP_MS = 20;
/** Paths of one operation looked at at once. */
const PARALLEL = 16;

/** A record has room for so many bytes of each content; what is larger becomes an object. */
export const inlineBytesOf = (
  limits: { readonly inlineBytesMax: number; readonly recordBytesMax: number },
  paths: number,
): number => Math.min(limits.inlineBytesMax, Math.floor(limits.recordBytesMax / 4 / paths));

/** What a caller may name in a precondition. A file changed from outside is no revision yet, so it matches none. */
function foundAs({ found, isHead }: Settled, head: Head | undefined): FoundFile | undefined {
  if (!found) return undefined;
  if (found.type !== "file") return { etag: "", revision: 0 };
  return isHead && head
    ? { etag: etagOf(head.record.operation), revision: head.change.revision }
    : { etag: outsideEtagOf(found), revision: 0 };
}

/** Of a record about many paths, what is about this one: the heads of many paths must not hold whole records (I14). */
function alone({ record, change }: Head): Head {
  if (record.changes.length === 1) return { record, change };
  const { content } = change;
  const isInline = content && "inline" in content.body;
  // A copy: decoded bytes are a view of their whole record.
  const own = isInline ? { ...content, body: { inline: Buffer.from(content.body.inline) } } : content;
  const copy = { ...change, content: own, external: undefined };
  return { record: { ...record, changes: [copy] }, change: copy };
}

interface Settled {
  readonly found: Stat | undefined;
  readonly isHead: boolean;
}

/** Third stage: finds what each path holds under its baton, and makes sure that the store has it (I4). */
export class Backup {
  constructor(
    private readonly volume: Volume,
    private readonly journals: Journals,
    private readonly heads: Heads,
    private readonly store: Store,
    private readonly limits: BackupLimits,
  ) {}

  async run(plan: Plan, lease: Lease): Promise<Base> {
    const known = await lease.known;
    if (known.earlier) {
      const earlier = await this.journals.find(known.earlier);
      if (earlier?.requestId === plan.operation.requestId) throw new EarlierOutcome(earlier);
      throw new IndexUnavailableError(new Error(`the index names ${known.earlier} for a request it did not serve`));
    }
    const { intents, checks } = plan.operation;
    const notIndexed = new Map<string, OperationRecord>();
    const heads = new Map<FilePath, Head | undefined>();
    // All of them before anything is looked at: a repeated request must find its first outcome, not what it left.
    await eachOf([...intents, ...checks], PARALLEL, async ({ path }) => {
      const head = await this.heads.headAt(path, lease.attempt.batonOf(path).last);
      heads.set(path, head && alone(head));
      // Of its other paths, what came before may not be indexed.
      for (const record of await this.chainNotIndexed(path, head, lease, known))
        notIndexed.set(`${record.operation} ${path}`, onlyPath(record, path));
    });
    await eachOf(checks, PARALLEL, (check) => this.check(check, heads.get(check.path), lease));
    const paths: PathBase[] = [];
    await eachOf(intents, PARALLEL, async (intent, part) => {
      paths[part] = await this.base(intent, part, heads.get(intent.path), lease);
    });
    return { paths, notIndexed: [...notIndexed.values()].sort((left, right) => left.timeMs - right.timeMs) };
  }

  /** What was committed on `path` since the index last heard of it, newest first; looks for our request id there. */
  private async chainNotIndexed(
    path: FilePath,
    head: Head | undefined,
    lease: Lease,
    known: Known,
  ): Promise<OperationRecord[]> {
    const indexed = known.heads.get(path) ?? NO_OPERATION;
    const chain: OperationRecord[] = [];
    for (let at = head; at && at.record.operation !== indexed; ) {
      if (at.record.requestId === lease.plan.operation.requestId) throw new EarlierOutcome(at.record);
      if (chain.push(withoutBytes(at.record)) > this.limits.notIndexedMax) throw new IndexUnavailableError();
      at = await this.heads.headAt(path, at.change.baseOperation);
    }
    return chain;
  }

  /** A path that is only looked at: it must be as the caller thinks while its baton is ours. */
  private async check(check: Check, head: Head | undefined, lease: Lease): Promise<void> {
    const found = await unless(["ENOENT"], this.volume.find(check.path));
    await using live = found?.live;
    const stats = await this.settled(live, found?.stat, head, lease);
    checkCondition(check, foundAs(stats, head));
  }

  private async base(intent: Intent, part: number, head: Head | undefined, lease: Lease): Promise<PathBase> {
    const { path } = intent;
    const found = lease.attempt.takeFound() ?? (await unless(["ENOENT"], this.volume.find(path)));
    const live = found?.live;
    const isOnly = lease.plan.operation.intents.length === 1;
    if (live && isOnly) lease.held.use(live);
    try {
      const stats = await this.settled(live, found?.stat, head, lease);
      const base = await this.baseAt(intent, part, live, stats, head, lease);
      return isOnly ? base : { ...base, live: undefined };
    } finally {
      // The files of a transaction are many, and are found again when they are published.
      if (!isOnly) await live?.[Symbol.asyncDispose]();
    }
  }

  private async baseAt(
    intent: Intent,
    part: number,
    live: LiveName | undefined,
    stats: Settled,
    head: Head | undefined,
    lease: Lease,
  ): Promise<PathBase> {
    const { path } = intent;
    const revision = (head?.change.revision ?? 0) + (stats.isHead ? 0 : 1);
    if (stats.found?.type === "symlink" || stats.found?.type === "other") checkType(intent, stats.found);
    // Before anything is kept, so that a refused request leaves nothing behind.
    checkPreconditions(intent, foundAs(stats, head));
    if (stats.found) checkType(intent, stats.found);
    let external: ExternalChange | undefined;
    let content: Content | undefined = head?.change.content;
    if (!stats.isHead) {
      const { id, intents } = lease.plan.operation;
      const options = { operation: id, part, inlineBytesMax: inlineBytesOf(this.limits, intents.length) };
      content = live && stats.found?.type === "file" ? await this.keep(path, live, options) : undefined;
      if (content && "object" in content.body) lease.attempt.objects.push(content.body.object);
      external = content ? { deleted: false, content } : { deleted: true };
    }
    if (content && !(await this.store.holds(content)))
      throw new BackupStorageError({ path }, new Error("the base revision is not in the store"));
    lease.assertHeld();
    return { intent, live, head, external, content, revision, mtimeNs: stats.found?.mtimeNs ?? 0n };
  }

  private async keep(
    path: FilePath,
    live: LiveName,
    options: Parameters<typeof capture>[3],
  ): Promise<Content | undefined> {
    try {
      return await capture(this.volume, this.store, live, options);
    } catch (error) {
      if (error instanceof NotPlainError) throw new PathNotPlainError({ path, what: error.what });
      throw volumeError(error) ?? new BackupStorageError({ path }, error);
    }
  }

  /**
   * Looks at the live file until it is the one that the baton names. When it is not, and our staged name is still
   * there after looking, somebody outside changed it; on a network volume a stale cache gets its time first.
   */
  private async settled(
    live: LiveName | undefined,
    first: Stat | undefined,
    head: Head | undefined,
    lease: Lease,
  ): Promise<Settled> {
    const untilMs = performance.now() + (this.volume.kind === "network" ? this.limits.baseSettleMs : 0);
    for (let found = first; ; found = live && (await this.volume.stat(live))) {
      const isHead = live
        ? await this.heads.isLive(head, live, found)
        : head === undefined || leavesNothing(head.change);
      if (isHead) return { found, isHead };
      if (!(await lease.attempt.stillStaged())) throw lease.attempt.fencedError();
      if (performance.now() >= untilMs) return { found, isHead };
      await new Promise((resolve) => setTimeout(resolve, SETTLE_STEP_MS));
    }
  }
}
