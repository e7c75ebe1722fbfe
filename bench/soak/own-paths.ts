import { setTimeout as sleep } from "node:timers/promises";
import { isReason } from "@safefile/client";
import type { Dice } from "../../test/lock/dice.js";
import { Account } from "./account.js";
import type { Caller } from "./caller.js";
import { type Told, toldBy } from "./told.js";

/** Small files of a worker; few enough to be deleted, made again and moved over each other all the time. */
const FILES = 32;
const UPLOADED_FILES = 2;
const LOOK_MS = 200;
export const PAGE = 20;

/** The paths that one worker alone changes, so it knows of each call what has to come of it. */
export class OwnPaths {
  readonly directory: string;
  readonly files: readonly Account[];
  readonly uploaded: readonly Account[];

  constructor(
    worker: string,
    private readonly caller: Caller,
    private readonly dice: Dice,
  ) {
    this.directory = `own/${worker}`;
    const named = (kind: string, count: number) =>
      Array.from({ length: count }, (_, at) => new Account(`${this.directory}/${kind}-${at}`));
    this.files = named("file", FILES);
    this.uploaded = named("upload", UPLOADED_FILES);
  }

  get accounts(): readonly Account[] {
    return [...this.files, ...this.uploaded];
  }

  /** One of the small files that suits, if any does. */
  one(suits: (account: Account) => boolean): Account | undefined {
    const found = this.files.filter(suits);
    return found.length > 0 ? this.dice.of(found) : undefined;
  }

  /** Looks whether something that was left open has come in the history, up to the revision before `before`. */
  async look(account: Account, before = Number.POSITIVE_INFINITY): Promise<void> {
    const history = await this.newest(account, ({ revision }) => revision > account.revision);
    account.learn(history.filter(({ revision }) => revision < before));
  }

  /** The newest revisions for as long as `goesOn`, oldest first. */
  newest({ path }: Account, goesOn: (told: Told, count: number) => boolean): Promise<Told[]> {
    return this.caller.read(async (client) => {
      const newest: Told[] = [];
      try {
        for await (const revision of client.revisions(path, { pageSize: PAGE })) {
          const told = toldBy(revision);
          if (!goesOn(told, newest.length)) break;
          newest.push(told);
        }
      } catch (error) {
        // Nothing was ever there.
        if (!isReason(error, "PATH_NOT_FOUND")) throw error;
      }
      return newest.reverse();
    });
  }

  /** Waits until nothing is open any more. */
  async settle(): Promise<void> {
    for (const account of this.accounts)
      while (account.isInDoubt) {
        await this.look(account);
        account.giveUp();
        await sleep(LOOK_MS);
      }
  }
}
