import picomatch from "picomatch";
import type { Index } from "../index/index.js";
import type { RevisionInfo } from "../model/file-info.js";
import { type FilePath, problemOfPath } from "../model/path.js";
import type { Files } from "../query/files.js";
import type { Listing } from "../query/listing.js";
import type { Revisions } from "../query/revisions.js";

export interface RestoreRequest {
  readonly path: FilePath | "";
  readonly tree: boolean;
  /** Milliseconds since the epoch: each path gets its newest revision at or before it. */
  readonly asOfMs: number;
  readonly include: readonly string[];
  readonly exclude: readonly string[];
  readonly keepExisting: boolean;
  readonly deleteExtra: boolean;
  /** undefined for in place. */
  readonly target: FilePath | "" | undefined;
  readonly dryRun: boolean;
  readonly priority: number;
  readonly labels: Readonly<Record<string, string>>;
}

/** One file of a restore, and what it takes to bring it back. */
export interface Selected {
  readonly target: FilePath;
  /** What the file should become; undefined to delete it. */
  readonly source: RevisionInfo | undefined;
}

const PAGE = 500;

const hasContent = (revision: RevisionInfo | undefined): revision is RevisionInfo => revision?.content !== undefined;

/** Finds the files that a restore is about, as of its point in time. */
export class Selection {
  private readonly isIncluded: (relative: string) => boolean;
  private readonly isExcluded: (relative: string) => boolean;

  constructor(
    private readonly index: Index,
    private readonly files: Files,
    private readonly listing: Listing,
    private readonly revisions: Revisions,
    private readonly request: RestoreRequest,
  ) {
    const options = { dot: true };
    this.isIncluded = request.include.length > 0 ? picomatch([...request.include], options) : () => true;
    this.isExcluded = request.exclude.length > 0 ? picomatch([...request.exclude], options) : () => false;
  }

  async *run(): AsyncGenerator<Selected> {
    const { request } = this;
    if (!request.tree) {
      const source = await this.revisions.asOf(request.path as FilePath, request.asOfMs);
      if (hasContent(source)) yield { target: (request.target || request.path) as FilePath, source };
      return;
    }
    for await (const path of this.managed()) {
      const target = this.targetOf(path);
      if (!target) continue;
      const source = await this.revisions.asOf(path, request.asOfMs);
      if (hasContent(source)) yield { target, source };
      else if (request.deleteExtra && (await this.files.peek(path))?.type === "file")
        yield { target, source: undefined };
    }
    if (request.deleteExtra) yield* this.unmanaged();
  }

  private async *managed(): AsyncGenerator<FilePath> {
    const prefix = this.request.path === "" ? "" : `${this.request.path}/`;
    for (let after = ""; ; ) {
      const page = await this.index.paths(prefix, after, PAGE);
      yield* page;
      if (page.length < PAGE) return;
      after = page.at(-1) ?? "";
    }
  }

  /** Live files that the service never wrote. */
  private async *unmanaged(): AsyncGenerator<Selected> {
    if (this.request.path !== "" && (await this.files.peek(this.request.path))?.type !== "directory") return;
    for await (const path of this.listing.walk(this.request.path, true, "")) {
      if (!this.targetOf(path) || (await this.files.peek(path))?.type !== "file") continue;
      if (!(await this.revisions.head(path))) yield { target: path, source: undefined };
    }
  }

  /** Where `path` is restored to; undefined when it is not selected. */
  private targetOf(path: FilePath): FilePath | undefined {
    const relative = this.request.path === "" ? path : path.slice(this.request.path.length + 1);
    if (!this.isIncluded(relative) || this.isExcluded(relative)) return undefined;
    const { target = this.request.path } = this.request;
    const moved = target === "" ? relative : `${target}/${relative}`;
    return problemOfPath(moved) === undefined ? (moved as FilePath) : undefined;
  }
}
