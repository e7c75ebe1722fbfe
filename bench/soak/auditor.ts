import { setTimeout as sleep } from "node:timers/promises";
import { isReason, type SafefileClient } from "@safefile/client";
import type { Dice } from "../../test/lock/dice.js";
import type { Account, Seen } from "./account.js";
import type { Caller } from "./caller.js";
import { piecesIn, sha256Of } from "./content.js";
import type { Meter } from "./meter.js";
import { type OwnPaths, PAGE } from "./own-paths.js";
import { describe, toldBy } from "./told.js";
import { Violation } from "./violation.js";

/** So often what is read has megabytes. */
const UPLOADED_ODDS = 0.02;
/** So often it is any file, which may be deleted. */
const ABSENT_ODDS = 0.1;
/** How long a file that an open request may have changed is looked at until it must make sense. */
const LOOKS_MAX = 50;
const LOOK_MS = 200;

/** Reads the paths of one worker, in all the ways that there are, and holds them against what is known of them. */
export class Auditor {
  constructor(
    private readonly own: OwnPaths,
    private readonly caller: Caller,
    private readonly dice: Dice,
    private readonly meter: Meter,
  ) {}

  async read(): Promise<void> {
    const account = this.dice.chance(UPLOADED_ODDS) ? this.dice.of(this.own.uploaded) : this.some();
    await this.compare("read", account, async (client) => {
      const { bytes, file } = await client.read(account.path);
      piecesIn(account.path, bytes);
      return { revision: Number(file.revision), sha256: sha256Of(bytes) };
    });
  }

  async stat(): Promise<void> {
    const account = this.some();
    await this.compare("stat", account, async (client) => seenOf(await client.stat(account.path)));
  }

  async list(): Promise<void> {
    const files = await this.caller.read(async (client) => {
      const found = new Map<string, Seen>();
      for await (const file of client.list(this.own.directory)) found.set(file.path, seenOf(file));
      return found;
    });
    for (const account of this.own.accounts) {
      const seen = files.get(account.path);
      files.delete(account.path);
      if (!account.isInDoubt && !account.is(seen)) differs(account, seen);
    }
    for (const path of files.keys()) throw Violation.at(path, "nothing was ever asked for here", "a file");
    this.meter.ended("list", "answered");
  }

  /** The newest revisions, against those that were acknowledged last. */
  async history(): Promise<void> {
    const account = this.dice.of(this.own.accounts);
    if (account.isInDoubt) await this.own.look(account);
    const newest = await this.own.newest(account, (_, count) => count < PAGE);
    for (const due of account.recent) {
      const told = newest.find(({ revision }) => revision === due.revision);
      if (!told || told.id !== due.id || told.sha256 !== due.sha256)
        throw Violation.at(account.path, describe(due), told ? describe(told) : "no such revision");
    }
    this.meter.ended("revisions", "answered");
  }

  /** A revision out of all that there ever were: whole, and with the bytes that it is listed with. */
  async past(): Promise<void> {
    const account = this.dice.of(this.own.files);
    if (account.revision === 0) return;
    const revision = 1 + this.dice.below(account.revision);
    const due = account.recent.find((each) => each.revision === revision);
    if (due?.sha256 === "") return;
    try {
      const found = await this.caller.read((client) => client.readRevision(account.path, revision));
      piecesIn(account.path, found.bytes);
      const listed = toldBy(found.revision);
      const told = { ...listed, sha256: sha256Of(found.bytes) };
      if (told.sha256 !== listed.sha256 || (due && (due.id !== told.id || due.sha256 !== told.sha256)))
        throw Violation.at(account.path, describe(due ?? listed), describe(told));
    } catch (error) {
      // A delete has no content.
      if (!isReason(error, "ARGUMENT_INVALID") || due) throw error;
    }
    this.meter.ended("read of a revision", "answered");
  }

  /** Mostly one that is there. */
  private some(): Account {
    const present = this.own.one(({ content }) => content !== undefined);
    return present && !this.dice.chance(ABSENT_ODDS) ? present : this.dice.of(this.own.files);
  }

  /** What a live file is seen to be must be what is known of it; what was left open may turn out to be there. */
  private async compare(
    operation: string,
    account: Account,
    see: (client: SafefileClient) => Promise<Seen>,
  ): Promise<void> {
    for (let looks = 1; ; looks++) {
      const seen = await this.caller.read(see).catch((error: unknown) => {
        if (isReason(error, "PATH_NOT_FOUND")) return undefined;
        throw error;
      });
      if (account.is(seen)) break;
      if (!account.isInDoubt || looks === LOOKS_MAX) differs(account, seen);
      await this.own.look(account);
      await sleep(LOOK_MS);
    }
    account.giveUp();
    this.meter.ended(operation, "answered");
  }
}

function differs(account: Account, seen: Seen | undefined): never {
  const found = seen ? `revision ${seen.revision}, SHA-256 ${seen.sha256}` : "nothing";
  throw Violation.at(account.path, account.describe(), found);
}

const seenOf = ({ revision, sha256 }: { readonly revision: bigint; readonly sha256: Uint8Array }): Seen => ({
  revision: Number(revision),
  sha256: Buffer.from(sha256).toString("hex"),
});
