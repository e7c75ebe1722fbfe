import { BackupStorageError, IndexUnavailableError, PathNotPlainError } from "../errors/index.js";
import type { Journals } from "../journal/journals.js";
import type { Lease } from "../lock/lease.js";
import type { Content } from "../model/content.js";
import { NO_OPERATION } from "../model/operation.js";
import type { Intent } from "../model/operation-request.js";
import type { FilePath } from "../model/path.js";
import type { ExternalChange, OperationRecord } from "../model/record.js";
import { EarlierOutcome } from "../protocol/earlier-outcome.js";
import { etagOf, type Head, type Heads, outsideEtagOf } from "../protocol/heads.js";
import { volumeError } from "../protocol/said.js";
import type { Store } from "../store/store.js";
import type { Plan } from "../validate/plan.js";
import { checkPreconditions } from "../validate/preconditions.js";
import { type LiveName, NotPlainError, type Stat, unless, type Volume } from "../volume/volume.js";
import type { Base, PathBase } from "./base.js";
import { capture } from "./capture.js";

export interface BackupLimits {
  readonly inlineBytesMax: number;
  /** On a network volume, how long a cache may show an older file than the baton names. */
  readonly baseSettleMs: number;
  /** How far the index may lie behind one path before it has to be rebuilt. */
  readonly notIndexedMax: number;
}

const SETTLE_STEP_MS = 20;

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
    if (lease.known.earlier) {
      const earlier = await this.journals.find(lease.known.earlier);
      if (earlier?.requestId === plan.operation.requestId) throw new EarlierOutcome(earlier);
      throw new IndexUnavailableError(
        new Error(`the index names ${lease.known.earlier} for a request it did not serve`),
      );
    }
    const paths: PathBase[] = [];
    const notIndexed = new Map<string, OperationRecord>();
    for (const [part, intent] of plan.operation.intents.entries()) {
      const baton = lease.attempt.batonOf(intent.path);
      const head = await this.heads.headAt(intent.path, baton.last);
      for (const record of await this.chainNotIndexed(intent.path, head, lease))
        notIndexed.set(record.operation, record);
      paths.push(await this.base(intent, part, head, lease));
    }
    return { paths, notIndexed: [...notIndexed.values()].sort((left, right) => left.timeMs - right.timeMs) };
  }

  /** What was committed on `path` since the index last heard of it, newest first; looks for our request id there. */
  private async chainNotIndexed(path: FilePath, head: Head | undefined, lease: Lease): Promise<OperationRecord[]> {
    const indexed = lease.known.heads.get(path) ?? NO_OPERATION;
    const chain: OperationRecord[] = [];
    for (let at = head; at && at.record.operation !== indexed; ) {
      if (at.record.requestId === lease.plan.operation.requestId) throw new EarlierOutcome(at.record);
      if (chain.push(at.record) > this.limits.notIndexedMax) throw new IndexUnavailableError();
      at = await this.heads.headAt(path, at.change.baseOperation);
    }
    return chain;
  }

  private async base(intent: Intent, part: number, head: Head | undefined, lease: Lease): Promise<PathBase> {
    const { path } = intent;
    const live = await unless(["ENOENT"], this.volume.locate(path));
    if (live) lease.held.use(live);
    const stats = await this.settledStat(live, head, lease);
    if (stats.found && stats.found.type !== "file") throw new PathNotPlainError({ path, what: stats.found.type });
    const revision = (head?.change.revision ?? 0) + (stats.isHead ? 0 : 1);
    const etag = stats.isHead ? head && etagOf(head.record.operation) : stats.found && outsideEtagOf(stats.found);
    // Before anything is kept, so that a refused request leaves nothing behind.
    // A file changed from outside is no revision yet, so it matches none.
    checkPreconditions(intent, stats.found && { etag: etag ?? "", revision: stats.isHead ? revision : 0 });
    let external: ExternalChange | undefined;
    let content: Content | undefined = head?.change.content;
    if (!stats.isHead) {
      const options = { operation: lease.plan.operation.id, part, inlineBytesMax: this.limits.inlineBytesMax };
      content = live && stats.found ? await this.keep(path, live, options) : undefined;
      if (content && "object" in content.body) lease.attempt.objects.push(content.body.object);
      external = content ? { deleted: false, content } : { deleted: true };
    }
    if (content && !(await this.store.holds(content)))
      throw new BackupStorageError({ path }, new Error("the base revision is not in the store"));
    lease.assertHeld();
    return { intent, live, head, external, content, revision };
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
  private async settledStat(
    live: LiveName | undefined,
    head: Head | undefined,
    lease: Lease,
  ): Promise<{ found: Stat | undefined; isHead: boolean }> {
    const untilMs = performance.now() + (this.volume.kind === "network" ? this.limits.baseSettleMs : 0);
    for (;;) {
      const found = live && (await this.volume.stat(live));
      const isHead = live ? await this.heads.isLive(head, live, found) : head?.change.content === undefined;
      if (isHead) return { found, isHead };
      if (!(await lease.attempt.stillStaged())) throw lease.attempt.fencedError();
      if (performance.now() >= untilMs) return { found, isHead };
      await new Promise((resolve) => setTimeout(resolve, SETTLE_STEP_MS));
    }
  }
}
