import type { Claim } from "../lock/claim.js";
import { sameBytes } from "../model/content.js";
import type { Intent, Standing } from "../model/operation-request.js";
import { type FilePath, pathHash } from "../model/path.js";
import type { Receipt } from "../model/receipt.js";
import type { Files } from "../query/files.js";
import type { Revisions } from "../query/revisions.js";
import type { RestoreRequest, Selected, Selection } from "./selection.js";

export type RestoreState = "RUNNING" | "SUCCEEDED" | "PARTIALLY_FAILED" | "FAILED" | "CANCELLED";

export interface RestoreProgress {
  readonly state: RestoreState;
  readonly filesTotal: number;
  readonly filesDone: number;
  readonly filesRestored: number;
  readonly filesSkipped: number;
  readonly filesDeleted: number;
  readonly filesFailed: number;
  readonly bytesTotal: number;
  readonly bytesDone: number;
  readonly currentPath: string;
  readonly counting: boolean;
}

export interface RestoreItem {
  readonly path: FilePath;
  readonly action: "RESTORED" | "UNCHANGED" | "KEPT" | "DELETED" | "FAILED";
  readonly revision: number;
  readonly sourceRevision: number;
  readonly sizeBytes: number;
  readonly error: unknown;
}

export interface RestoreEvent {
  /** Counts from 1. */
  readonly cursor: number;
  readonly event: { readonly progress: RestoreProgress } | { readonly item: RestoreItem };
}

/** Events kept for watchers that come late or again: enough for the items of a large tree, some 200 bytes each. */
const EVENTS_MAX = 200_000;
const FAILURES_MAX = 100;
const PROGRESS_MS = 100;

/**
 * One restore: selects, then brings each file back by an operation of its own through the whole pipeline, so that
 * each is either as it was or as it should become, whenever this stops (I16).
 */
export class RestoreJob {
  readonly createTimeMs = Date.now();
  endTimeMs: number | undefined;
  error: unknown;
  readonly failures: RestoreItem[] = [];
  private readonly events: RestoreEvent[] = [];
  private lastCursor = 0;
  private wake = Promise.withResolvers<void>();
  private lastProgressMs = 0;
  private standing: Standing | undefined;
  private current: RestoreProgress = {
    state: "RUNNING",
    filesTotal: 0,
    filesDone: 0,
    filesRestored: 0,
    filesSkipped: 0,
    filesDeleted: 0,
    filesFailed: 0,
    bytesTotal: 0,
    bytesDone: 0,
    currentPath: "",
    counting: true,
  };

  constructor(
    readonly id: string,
    readonly request: RestoreRequest,
    readonly requestId: string,
    readonly traceId: string,
    private readonly files: Files,
    private readonly revisions: Revisions,
    private readonly change: (intent: Intent, requestId: string, standing: Standing | undefined) => Promise<Receipt>,
    /** Holds a tree while it is restored, so that what is written below it comes before all of it or after. */
    private readonly claim: (tree: FilePath | "") => Promise<Claim>,
    private readonly parallel: number,
  ) {}

  get progress(): RestoreProgress {
    return this.current;
  }

  private get targetTree(): FilePath | "" {
    return this.request.target ?? this.request.path;
  }

  get isRunning(): boolean {
    return this.current.state === "RUNNING";
  }

  /** Runs to the end; never throws. `stop` ends it after the files under way. */
  async run(selection: Selection, stop: AbortSignal): Promise<void> {
    try {
      using claim = this.request.tree && !this.request.dryRun ? await this.claim(this.targetTree) : undefined;
      this.standing = claim;
      const selected: Selected[] = [];
      for await (const each of selection.run()) {
        if (stop.aborted) break;
        selected.push(each);
        const bytesTotal = this.current.bytesTotal + (each.source?.sizeBytes ?? 0);
        this.advance({ filesTotal: selected.length, bytesTotal });
      }
      this.advance({ counting: false });
      const queue = selected.values();
      const work = async (): Promise<void> => {
        for (const each of queue) {
          if (stop.aborted) return;
          await this.restore(each);
        }
      };
      await Promise.all(Array.from({ length: this.parallel }, work));
      this.end(stop.aborted ? "CANCELLED" : this.current.filesFailed > 0 ? "PARTIALLY_FAILED" : "SUCCEEDED");
    } catch (error) {
      this.error = error;
      this.end("FAILED");
    }
  }

  /** Events after `cursor`, then new ones as they come, until the restore has ended. */
  async *watch(cursor: number, signal: AbortSignal): AsyncGenerator<RestoreEvent> {
    const gone = new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
    for (let after = cursor; !signal.aborted; ) {
      const { wake } = this;
      const first = this.events[0]?.cursor ?? 1;
      for (const event of this.events.slice(Math.max(0, after + 1 - first))) {
        yield event;
        after = event.cursor;
      }
      if (!this.isRunning && after >= this.lastCursor) return;
      if (after >= this.lastCursor) await Promise.race([wake.promise, gone]);
    }
  }

  private async restore(selected: Selected): Promise<void> {
    const { target, source } = selected;
    this.advance({ currentPath: target });
    const item = await this.decide(selected).catch((error: unknown): RestoreItem => {
      const failed = { path: target, action: "FAILED" as const, revision: 0, sizeBytes: 0, error };
      return { ...failed, sourceRevision: source?.revision ?? 0 };
    });
    if (item.action === "FAILED" && this.failures.length < FAILURES_MAX) this.failures.push(item);
    const { filesRestored, filesSkipped, filesDeleted, filesFailed, filesDone, bytesDone } = this.current;
    this.publish({ item });
    this.advance({
      filesDone: filesDone + 1,
      filesRestored: filesRestored + Number(item.action === "RESTORED"),
      filesSkipped: filesSkipped + Number(item.action === "UNCHANGED" || item.action === "KEPT"),
      filesDeleted: filesDeleted + Number(item.action === "DELETED"),
      filesFailed: filesFailed + Number(item.action === "FAILED"),
      bytesDone: bytesDone + (source?.sizeBytes ?? 0),
    });
  }

  private async decide({ target, source }: Selected): Promise<RestoreItem> {
    const live = await this.files.peek(target);
    const item = {
      path: target,
      revision: live?.revision ?? 0,
      sourceRevision: source?.revision ?? 0,
      error: undefined,
    };
    const precondition = { etag: undefined, ifRevision: undefined };
    const requestId = `${this.id}:${pathHash(target)}`;
    if (!source) {
      if (!live) return { ...item, action: "UNCHANGED", sizeBytes: 0 };
      if (this.request.dryRun) return { ...item, action: "DELETED", sizeBytes: 0 };
      const deletion: Intent = { path: target, kind: "DELETE", source: undefined, mode: undefined, precondition };
      return {
        ...item,
        action: "DELETED",
        sizeBytes: 0,
        revision: revisionOf(await this.change(deletion, requestId, this.standing)),
      };
    }
    const { sizeBytes } = source;
    if (live && this.request.keepExisting) return { ...item, action: "KEPT", sizeBytes };
    const isSame = live?.sha256 && source.sha256 && sameBytes(live.sha256, source.sha256) && live.mode === source.mode;
    if (isSame) return { ...item, action: "UNCHANGED", sizeBytes };
    const found = await this.revisions.find(source.path, source.revision);
    const content = found.content;
    if (!content) throw new Error(`revision ${source.revision} has no content`);
    if (this.request.dryRun) return { ...item, action: "RESTORED", sizeBytes };
    const intent: Intent = {
      path: target,
      kind: "RESTORE",
      source: { from: "revision", revision: source.revision, sizeBytes: content.sizeBytes, find: async () => content },
      mode: source.mode,
      precondition,
    };
    return {
      ...item,
      action: "RESTORED",
      sizeBytes,
      revision: revisionOf(await this.change(intent, requestId, this.standing)),
    };
  }

  private advance(change: Partial<RestoreProgress>): void {
    this.current = { ...this.current, ...change };
    const nowMs = performance.now();
    if (nowMs - this.lastProgressMs < PROGRESS_MS) return;
    this.lastProgressMs = nowMs;
    this.publish({ progress: this.current });
  }

  private end(state: RestoreState): void {
    this.endTimeMs = Date.now();
    this.current = { ...this.current, state, counting: false, currentPath: "" };
    this.publish({ progress: this.current });
  }

  private publish(event: RestoreEvent["event"]): void {
    this.lastCursor += 1;
    this.events.push({ cursor: this.lastCursor, event });
    if (this.events.length > EVENTS_MAX) this.events.splice(0, EVENTS_MAX / 10);
    this.wake.resolve();
    this.wake = Promise.withResolvers<void>();
  }
}

const revisionOf = (receipt: Receipt): number => receipt.record?.changes[0]?.revision ?? 0;
