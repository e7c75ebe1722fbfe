import { type Revision, type SafefileClient, Transaction } from "@safefile/client";
import { contentOf } from "../../test/crash/content.js";
import type { Dice } from "../../test/lock/dice.js";
import { type Account, Change, type Effect } from "./account.js";
import type { Book } from "./book.js";
import { ABOUT_THE_FILE, type Caller, type Options } from "./caller.js";
import { Content } from "./content.js";
import type { Kind, Meter } from "./meter.js";
import type { OwnPaths } from "./own-paths.js";
import { describe, type Told, toldBy } from "./told.js";
import { Violation } from "./violation.js";

const KiB = 1024;
const MiB = 1024 * KiB;

const FILE_BYTES_MAX = 64 * KiB;
const PIECE_BYTES_MIN = 256;
const PIECE_BYTES_MAX = 4 * KiB;
/** All contents of a transaction together stay far below the 1 MiB that it may have. */
const TRANSACTION_PATHS_MAX = 4;
const TRANSACTION_BYTES_MAX = 16 * KiB;
const UPLOAD_BYTES_MIN = 2 * MiB;
const UPLOAD_BYTES_MAX = 6 * MiB;
/** So often a change says what it has to replace. */
const CONDITION_ODDS = 0.3;

type Answered = Promise<readonly (Revision | undefined)[]>;

/** Changes the paths of one worker, and holds each answer against what is known of them. */
export class Owner {
  private changes = 0;

  constructor(
    private readonly worker: string,
    private readonly own: OwnPaths,
    private readonly caller: Caller,
    private readonly dice: Dice,
    private readonly meter: Meter,
    private readonly book: Book,
  ) {}

  async write(): Promise<void> {
    const account = this.dice.of(this.own.files);
    const { path, content } = account;
    // As many files of 1 to 2 KiB as of 32 to 64.
    const piece = this.piece(KiB * (FILE_BYTES_MAX / KiB) ** (this.dice.below(1_000) / 1_000));
    const condition = this.condition(account);
    await this.change(content ? "overwrite" : "create", new Map([[account, to(piece)]]), async (client, options) => [
      (await client.write(path, piece, { ...options, ...condition })).revision,
    ]);
  }

  async append(): Promise<void> {
    const account = this.own.one(({ content }) => (content?.sizeBytes ?? 0) < FILE_BYTES_MAX);
    if (!account) return;
    const piece = this.piece(PIECE_BYTES_MIN + this.dice.below(PIECE_BYTES_MAX));
    await this.change("append", new Map([[account, behind(piece)]]), async (client, options) => [
      (await client.append(account.path, piece, options)).result.revision,
    ]);
  }

  async remove(): Promise<void> {
    const account = this.own.one(({ content }) => content !== undefined);
    if (!account) return;
    await this.change("delete", new Map([[account, nothing]]), async (client, options) => [
      (await client.remove(account.path, options)).revision,
    ]);
  }

  async move(): Promise<void> {
    const source = this.own.one(({ content, isInDoubt }) => content !== undefined && !isInDoubt);
    const target = this.own.one((each) => each !== source && !each.isInDoubt);
    if (!source || !target) return;
    const { content } = source;
    const effects = new Map<Account, Effect>([
      [source, nothing],
      [target, () => content],
    ]);
    const overwrite = target.content !== undefined;
    await this.change("move", effects, async (client, options) => {
      const { result, sourceRevision } = await client.move(source.path, target.path, { ...options, overwrite });
      return [result.revision, sourceRevision];
    });
  }

  async transact(): Promise<void> {
    const steps = new Transaction();
    const effects = new Map<Account, Effect>();
    const count = 2 + this.dice.below(TRANSACTION_PATHS_MAX - 1);
    for (let at = 0; at < count; at++) {
      const account = this.own.one((each) => !each.isInDoubt && !effects.has(each));
      if (!account) break;
      const { path, content } = account;
      const piece = this.piece(PIECE_BYTES_MIN + this.dice.below(TRANSACTION_BYTES_MAX), `.${at}`);
      const condition = this.condition(account);
      const draw = this.dice.below(4);
      if (draw === 0 && content) {
        steps.remove(path, condition);
        effects.set(account, nothing);
      } else if (draw === 1) {
        steps.append(path, piece, condition);
        effects.set(account, behind(piece));
      } else {
        steps.write(path, piece, condition);
        effects.set(account, to(piece));
      }
    }
    if (effects.size === 0) return;
    await this.change("transaction", effects, async (client, options) =>
      (await client.transaction(steps, options)).items.map(({ revision }) => revision),
    );
  }

  async upload(): Promise<void> {
    const account = this.dice.of(this.own.uploaded);
    const piece = this.piece(UPLOAD_BYTES_MIN + this.dice.below(UPLOAD_BYTES_MAX - UPLOAD_BYTES_MIN));
    const effects = new Map([[account, to(piece)]]);
    const call = async (client: SafefileClient, options: Options) => [
      (await client.upload(account.path, piece, options)).revision,
    ];
    await this.change("upload", effects, call, "upload");
  }

  private piece(sizeBytes: number, suffix = ""): Buffer {
    return contentOf(`${this.worker}.${this.changes + 1}${suffix}`, Math.floor(sizeBytes));
  }

  /** What is there must be what is known to be there; nothing is said of what is not known. */
  private condition({ content, revision, isInDoubt }: Account): { ifRevision?: number } {
    if (isInDoubt || !this.dice.chance(CONDITION_ODDS)) return {};
    return { ifRevision: content ? revision : 0 };
  }

  private async change(
    operation: string,
    effects: ReadonlyMap<Account, Effect>,
    call: (client: SafefileClient, options: Options) => Answered,
    kind: Kind = "write",
  ): Promise<void> {
    this.changes += 1;
    const change = new Change(`${this.worker}.${this.changes}`, effects);
    const answer = await this.caller.change(change.id, kind, call);
    this.meter.ended(operation, answer.outcome);
    if (answer.outcome === "COMMITTED") {
      for (const revision of answer.result) if (revision) await this.enter(toldBy(revision), change);
      return;
    }
    const { outcome, reason } = answer;
    const accounts = [...effects.keys()];
    const isKnown = !accounts.some(({ isInDoubt }) => isInDoubt);
    for (const account of accounts) {
      this.book.note(account.path, `${outcome} ${reason} ${change.id}`);
      if (isKnown && ABOUT_THE_FILE.has(reason))
        throw Violation.at(account.path, account.describe(), `${operation} ${change.id} is answered ${reason}`);
      if (outcome === "UNKNOWN") account.leaveOpen(change);
    }
  }

  private async enter(told: Told, change: Change): Promise<void> {
    this.book.note(told.path, `COMMITTED ${describe(told)}`);
    const account = [...change.effects.keys()].find(({ path }) => path === told.path);
    if (!account) throw Violation.at(told.path, `${change.id} did not ask for anything here`, describe(told));
    // What was left open may have come before it.
    if (told.revision > account.revision + 1 && account.isInDoubt) await this.own.look(account, told.revision);
    account.enter(told, change);
  }
}

const to =
  (bytes: Uint8Array): Effect =>
  () =>
    Content.of(bytes);

const behind =
  (bytes: Uint8Array): Effect =>
  (before) =>
    before ? before.with(bytes) : Content.of(bytes);

const nothing: Effect = () => undefined;
