/** A process of several workers, which does as its `Order` says until it is told to stop, and then accounts for it. */
import { setTimeout as sleep } from "node:timers/promises";
import { Dice } from "../../test/lock/dice.js";
import { Auditor } from "./auditor.js";
import { Book } from "./book.js";
import { Caller } from "./caller.js";
import type { Fold } from "./fold.js";
import { Meter, type Reading } from "./meter.js";
import { OwnPaths } from "./own-paths.js";
import { Owner } from "./owner.js";
import { type SharedPaths, Sharer } from "./sharer.js";
import { Violation } from "./violation.js";

export interface Order {
  readonly name: string;
  /** Their names say which paths are theirs. */
  readonly workers: readonly string[];
  readonly addresses: readonly string[];
  readonly seed: number;
  /** Where the books are kept. */
  readonly books: string;
  /** Readings are taken every so often, counted from then by the clock that all processes share. */
  readonly startMs: number;
  readonly readingMs: number;
}

/** What is to be there in the end, of one path. */
export interface Due extends Pick<Fold, "count" | "sum"> {
  readonly path: string;
  /** The head and what the live file holds, where one worker knows that; "" when there is none. */
  readonly head: { readonly revision: number; readonly sha256: string } | undefined;
  /** Changes that may be there besides. */
  readonly open: readonly string[];
}

export type Said =
  | { readonly reading: Reading; readonly at: number }
  | { readonly violation: string }
  | { readonly failure: string }
  | { readonly dues: readonly Due[] };

/**
 * A worker waits up to so long between two calls, so that replicas, Redis and callers, who share two processors, are busy
 * and not overrun: latencies are then those of the service, and not of a queue in front of it.
 */
const PAUSE_MS_MAX = 150;

/** How often each kind of call is made, beside the others. */
type Mix = readonly (readonly [share: number, call: () => Promise<void>])[];

const say = (said: Said): void => void process.send?.(said);

async function work(name: string, order: Order, shared: SharedPaths, meter: Meter, book: Book, stop: AbortSignal) {
  const dice = new Dice(order.seed + 7_919 * Number(name.slice(1)));
  const caller = new Caller(order.addresses, dice, meter);
  const own = new OwnPaths(name, caller, dice);
  const owner = new Owner(name, own, caller, dice, meter, book);
  const auditor = new Auditor(own, caller, dice, meter);
  const sharer = new Sharer(name, shared, caller, dice, meter, book);
  // An upload is some hundred times as large as a file, and so much rarer; a log is written whole by each append to it.
  const mix: Mix = [
    [240, () => owner.write()],
    [80, () => owner.append()],
    [50, () => owner.remove()],
    [40, () => owner.move()],
    [50, () => owner.transact()],
    [2, () => owner.upload()],
    [60, () => sharer.count()],
    [25, () => sharer.log()],
    [10, () => sharer.guard()],
    [200, () => auditor.read()],
    [100, () => auditor.stat()],
    [20, () => auditor.list()],
    [30, () => auditor.history()],
    [60, () => auditor.past()],
  ];
  while (!stop.aborted) {
    await drawn(mix, dice)();
    await sleep(dice.below(PAUSE_MS_MAX));
  }
  await own.settle();
  caller.close();
  return own.accounts;
}

function drawn(mix: Mix, dice: Dice): () => Promise<void> {
  let left = dice.below(mix.reduce((sum, [share]) => sum + share, 0));
  for (const [share, call] of mix) {
    if (left < share) return call;
    left -= share;
  }
  throw new Error("a share is left");
}

async function run(order: Order, stop: AbortSignal): Promise<Due[]> {
  const meter = new Meter();
  const book = new Book(order.books, order.name);
  const shared: SharedPaths = new Map();
  let at = 0;
  const tell = () => say({ reading: meter.take(), at: at++ });
  const timer = setInterval(() => {
    if (Date.now() >= order.startMs + (at + 1) * order.readingMs) tell();
  }, 50);
  const working = order.workers.map((name) => work(name, order, shared, meter, book, stop));
  const accounts = (await Promise.all(working)).flat();
  clearInterval(timer);
  tell();
  await book.close();
  return [
    ...accounts.map(({ path, fold: { count, sum }, revision, sha256 }) => {
      return { path, count, sum, head: { revision, sha256 }, open: [] };
    }),
    ...[...shared.values()].map(({ path, fold: { count, sum }, open }) => {
      return { path, count, sum, head: undefined, open };
    }),
  ];
}

const stop = new AbortController();
process.on("message", (message: Order | "stop") => {
  if (message === "stop") return stop.abort();
  run(message, stop.signal).then(
    (dues) => say({ dues }),
    (error: Error) => say(error instanceof Violation ? { violation: error.message } : { failure: `${error.stack}` }),
  );
});
process.once("disconnect", () => process.exit());
