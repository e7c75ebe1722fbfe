import { createHash } from "node:crypto";
import type { Engine } from "../../services/engine.js";
import { SafeOperationError } from "../../services/errors/index.js";
import type { Intent, Source } from "../../services/model/operation-request.js";
import type { FilePath } from "../../services/model/path.js";
import { beginOperation } from "../../services/pipeline/begin.js";
import { codeOf } from "../../services/volume/volume.js";
import type { Asked, Attempt, Request } from "./ledger.js";
import { PATHS } from "./paths.js";
import type { Replica } from "./replica.js";
import { Violation, type World } from "./world.js";

const TRIES_MAX = 12;
/** What the callers do not do again: the answer is about the file, not about the moment. */
const FINAL = new Set(["PRECONDITION_FAILED", "ALREADY_EXISTS", "PATH_NOT_FOUND", "BACKUP_VERSION", "LOCK_FENCED"]);
/** A broken assumption of ours is never an answer that callers should see. */
const BROKEN = new Set(["INTERNAL", "REQUEST_ID_REUSED", "REVISION_CORRUPT", "JOURNAL_DAMAGED"]);

/** Its directory was there when it was looked for, and is not when the change is to be published. */
const VANISHED = /ENOENT: (rename to|link) /;

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Somebody who changes files by way of the service, and asks again with the same request id while it is not known
 * what became of a change. */
export class Client {
  constructor(
    private readonly world: World,
    private readonly name: string,
  ) {}

  async work(changes: number): Promise<void> {
    for (let change = 0; change < changes; change++) {
      await this.change(`${this.name}-${change}`);
      if (this.world.chance(0.3)) await sleep(this.world.random() * 300);
    }
  }

  private async replica(): Promise<Replica> {
    for (;;) {
      const { serving } = this.world;
      if (serving.length > 0) return this.world.pick(serving);
      await sleep(20);
    }
  }

  private async change(id: string): Promise<void> {
    const { world } = this;
    const asked = await this.draw(id);
    if (!asked) return;
    const request = world.ledger.begin(id, asked);
    const doubles = world.chance(0.1);
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      const attempt = await this.attempt(request);
      world.count(`answered ${attempt.outcome}${attempt.reason ? ` ${attempt.reason}` : ""}`);
      if (tries > 0) world.count("asked again");
      if (attempt.outcome === "COMMITTED") {
        if (!doubles) return;
      } else if (attempt.outcome === "NOT_COMMITTED" && (FINAL.has(attempt.reason) || world.chance(0.3))) return;
      else if (attempt.outcome === "UNKNOWN" && world.chance(0.1)) return;
      await sleep(world.random() * 200);
    }
  }

  /** What is to be changed; undefined when nobody could be asked what there is. */
  private async draw(id: string): Promise<Asked[] | undefined> {
    const { world } = this;
    const paths = world.chance(0.15) ? [...PATHS].sort(() => world.random() - 0.5).slice(0, 2) : [world.pick(PATHS)];
    const asked: Asked[] = [];
    for (const path of paths.sort()) {
      const sizeBytes = world.chance(0.25) ? 400 + world.random() * 2500 : world.random() * 300;
      const content = `${id} ${path} ${"x".repeat(Math.floor(sizeBytes))}`;
      const draw = world.random();
      const free = { path, ifRevision: undefined, etag: undefined };
      if (paths.length > 1) asked.push({ ...free, kind: "WRITE", content: draw < 0.2 ? undefined : content });
      else if (draw < 0.45) asked.push({ ...free, kind: "WRITE", content });
      else if (draw < 0.6) asked.push({ ...free, kind: "WRITE", content, ifRevision: 0 });
      else if (draw < 0.75) asked.push({ ...free, kind: "DELETE", content: undefined });
      else {
        const seen = await this.look(path);
        if (!seen) return undefined;
        if (draw < 0.83) asked.push({ ...free, kind: "WRITE", content, ifRevision: seen.revision });
        else if (draw < 0.9) asked.push({ ...free, kind: "WRITE", content, etag: seen.etag });
        else if (seen.revision < 2) asked.push({ ...free, kind: "DELETE", content: undefined, etag: seen.etag });
        else {
          const source = 1 + Math.floor(world.random() * (seen.revision - 1));
          const old = await this.revision(path, source);
          if (old === undefined) return undefined;
          asked.push({ ...free, kind: "ROLLBACK", content: old, source });
        }
      }
    }
    return asked.map((each) => (each.content === undefined ? { ...each, kind: "DELETE" } : each));
  }

  /** Runs `work` at a replica; undefined when that one is not there any more, or has failed. */
  private async at<T>(work: (engine: Engine) => Promise<T>): Promise<T | undefined> {
    const replica = await this.replica();
    const engine = replica.engine as Engine;
    const answer = replica.ground.actor
      .run(() => work(engine))
      .catch((error: unknown) => {
        this.judge(error);
        return undefined;
      });
    const found = await Promise.race([answer, replica.died, sleep(4000)]);
    return found === "DEAD" ? undefined : (found as T | undefined);
  }

  private judge(error: unknown): void {
    // Another change that came to nothing removed the directory that it had made, just when this one was to go there.
    if (error instanceof SafeOperationError && error.outcome === "NOT_COMMITTED" && VANISHED.test(String(error.cause)))
      this.world.count("a directory vanished");
    else if (error instanceof SafeOperationError && !BROKEN.has(error.reason)) return;
    else if (!["EIO", "ENOSPC"].includes(codeOf(error) ?? "")) this.world.fail(error);
  }

  /** Reads a live file as a caller does: what is read must be whole, and the revision that it is called. */
  private look(path: string) {
    return this.at(async (engine) => {
      try {
        const { handle, info } = await engine.files.open(path as FilePath);
        await using open = handle;
        const buffer = Buffer.alloc(8192);
        const content = buffer.toString("utf8", 0, await open.read(buffer, 0));
        if (!info.externallyChanged && info.revision > 0) {
          this.world.count("read a revision");
          const { content: kept } = await engine.revisions.find(path as FilePath, info.revision);
          const hash = createHash("sha256").update(content).digest("hex");
          if (kept && hash !== Buffer.from(kept.sha256).toString("hex") && this.world.ledger.isWhole(path, content))
            this.world.count("read what outside wrote in place");
          else if (!this.world.ledger.isWhole(path, content))
            throw new Violation(`I2: read of ${path} what nobody wrote: ${content.slice(0, 40)}`);
        }
        return { revision: info.revision, etag: info.etag };
      } catch (error) {
        if (error instanceof SafeOperationError && error.reason === "PATH_NOT_FOUND") return { revision: 0, etag: "" };
        throw error;
      }
    });
  }

  private revision(path: string, revision: number): Promise<string | undefined> {
    return this.at(async (engine) => {
      const { content } = await engine.revisions.find(path as FilePath, revision);
      if (!content) return undefined;
      const chunks: Uint8Array[] = [];
      for await (const chunk of engine.store.read(content)) chunks.push(chunk);
      return Buffer.concat(chunks).toString();
    });
  }

  /** One try, until it is answered, the replica is gone, or the caller has waited long enough. */
  private async attempt(request: Request): Promise<Attempt> {
    const { world } = this;
    const attempt: Attempt = { request, operation: undefined, outcome: "OPEN", reason: "" };
    request.attempts.push(attempt);
    const replica = await this.replica();
    const answered = replica.ground.actor
      .run(() => this.carryOut(replica.engine as Engine, request, attempt))
      .catch((error: unknown) => this.failed(attempt, error));
    await Promise.race([answered, replica.died, sleep(6000)]);
    if (attempt.outcome === "OPEN") {
      world.count("not answered");
      // Its own outcome may still come; the caller asks again meanwhile.
      return { ...attempt, outcome: "UNKNOWN", reason: "no answer" };
    }
    return { ...attempt };
  }

  private failed(attempt: Attempt, error: unknown): void {
    this.judge(error);
    if (error instanceof SafeOperationError) {
      attempt.outcome = error.outcome;
      attempt.reason = error.reason;
    } else attempt.outcome = attempt.operation ? "UNKNOWN" : "NOT_COMMITTED";
    this.world.note(`${attempt.request.id} as ${attempt.operation}: ${attempt.outcome} ${String(error)}`);
  }

  private async carryOut(engine: Engine, request: Request, attempt: Attempt): Promise<void> {
    const { world } = this;
    await using held = new AsyncDisposableStack();
    const intents: Intent[] = [];
    for (const each of request.asked) {
      const { kind, content } = each;
      const source = content === undefined ? undefined : await this.source(engine, each, content, held);
      const precondition = { etag: each.etag, ifRevision: each.ifRevision };
      intents.push({ path: each.path as FilePath, kind, source, mode: undefined, precondition });
    }
    const operation = beginOperation(engine.incarnation, {
      intents,
      requestId: request.id,
      validateOnly: false,
      lockWaitMs: 2000,
      priority: 0,
      labels: {},
      traceId: "",
      signal: new AbortController().signal,
    });
    world.ledger.started(attempt, operation.id);
    world.note(`${request.id} is ${operation.id}: ${request.asked.map(({ kind, path }) => `${kind} ${path}`)}`);
    const { receipt } = await engine.pipeline.run(operation);
    const revisions = new Map(receipt.record?.changes.map(({ path, revision }) => [path as string, revision]));
    world.note(`${request.id} is acknowledged as ${receipt.operation}${receipt.replayed ? " (again)" : ""}`);
    if (receipt.replayed) world.count("answered with the first outcome");
    if (receipt.record?.changes.some(({ external }) => external)) world.count("EXTERNAL found");
    world.ledger.acknowledge(attempt, receipt.operation, revisions);
  }

  private async source(
    engine: Engine,
    { path, source }: Asked,
    content: string,
    held: AsyncDisposableStack,
  ): Promise<Source> {
    if (source !== undefined) {
      const { content: kept } = await engine.revisions.find(path as FilePath, source);
      if (!kept) throw new Violation(`I4: revision ${source} of ${path} has lost its content`);
      return { from: "revision", revision: source, sizeBytes: kept.sizeBytes, find: async () => kept };
    }
    const upload = held.use(engine.uploads.begin());
    await upload.write(Buffer.from(content));
    return await upload.finish();
  }
}
