import assert from "node:assert/strict";
import { Worker } from "node:worker_threads";
import type { Calls, Filling } from "./calls.js";
import type { CallName, Said, Sent } from "./kernel.js";
import { pool } from "./pool.js";
import { pulse } from "./pulse.js";
import { type Inspected, NotMadeError } from "./volume.js";

/** Larger pieces go to the pool: nobody else's call is to wait for them, and bytes are copied on the way. */
const PIECE_BYTES_MAX = 64 * 1024;

/** Under way at once: one that is worked on, one so that the thread need not wait for the next. More would be smaller. */
const MESSAGES_MAX = 2;

/** Each spares several trips through the pool. */
const SEVERAL: ReadonlySet<Sent[0]> = new Set([
  "fill",
  "lookBeneath",
  "findBeneath",
  "examineBeneath",
  "readPiece",
  "glance",
  "inspect",
  "inOrder",
]);

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

function tell(caller: Waiting | undefined, said: Said): void {
  if ("value" in said) caller?.resolve(said.value);
  else caller?.reject(Object.assign(new Error(said.message), { code: said.code }));
}

/** Calls that go as one, and those who wait for them. */
class Order implements Waiting {
  readonly calls: Sent[] = [];
  private readonly callers: Waiting[] = [];

  push(sent: Sent, caller: Waiting): void {
    this.calls.push(sent);
    this.callers.push(caller);
  }

  readonly resolve = (answers: unknown): void => {
    const made = answers as readonly Said[];
    for (const [at, caller] of this.callers.entries()) {
      const said = made[at];
      if (said) tell(caller, said);
      else caller.reject(new NotMadeError());
    }
  };

  readonly reject = (error: Error): void => {
    for (const caller of this.callers) caller.reject(error);
  };
}

/**
 * One thread for the short calls of all volumes of this process. A call that is made at once costs a fifth of a trip
 * through Node's pool, whose threads wake each other for every one; here all calls of one turn of the event loop
 * travel in one message, and their answers in another.
 */
class CallThread {
  private worker: Worker | undefined;
  private calls: Sent[] = [];
  private callers: Waiting[] = [];
  private bytes: ArrayBuffer[] = [];
  /** Where calls go while `inOrder` gathers them. */
  private order: Order | undefined;
  /** Those who wait for the messages that are under way, the oldest first. */
  private readonly sent: Waiting[][] = [];

  call<T>(...sent: Sent): Promise<T> {
    return new Promise<T>((resolve, reject) =>
      (this.order ?? this).push(sent, { resolve: resolve as Waiting["resolve"], reject }),
    );
  }

  push(sent: Sent, caller: Waiting): void {
    if (this.calls.length === 0) this.sendSoon();
    this.calls.push(sent);
    this.callers.push(caller);
  }

  /** `Volume.inOrder`: what `calls` ask for travels as one call, which ends with the first of them that fails. */
  inOrder<T>(calls: readonly (() => Promise<T>)[]): Promise<PromiseSettledResult<T>[]> {
    const order = new Order();
    this.order = order;
    let begun: Promise<T>[];
    try {
      begun = calls.map((call) => call());
    } finally {
      this.order = undefined;
    }
    assert.equal(order.calls.length, calls.length, "each is to be a single call, made at once");
    this.push(["inOrder", order.calls], order);
    return Promise.allSettled(begun);
  }

  write(fd: number, bytes: Uint8Array, position: number): Promise<number> {
    return this.call("write", fd, this.own(bytes), position);
  }

  fill(fd: number, filling: Filling): Promise<Inspected> {
    return this.call("fill", fd, { ...filling, bytes: this.own(filling.bytes) });
  }

  /** A copy that goes with the message: sent as it is, the whole buffer that it is a part of would be copied. */
  private own(bytes: Uint8Array): Uint8Array {
    const own = new Uint8Array(bytes);
    this.bytes.push(own.buffer);
    return own;
  }

  /** When this turn of the event loop is over; with messages enough under way, when one of them has been answered. */
  private sendSoon(): void {
    if (this.sent.length < MESSAGES_MAX) setImmediate(() => this.send());
  }

  private send(): void {
    if (this.calls.length === 0 || this.sent.length >= MESSAGES_MAX) return;
    if (this.calls.length === 1 && this.sent.length === 0 && this.sendAlone()) return;
    this.worker ??= this.start();
    if (this.sent.length === 0) this.worker.ref();
    pulse.begin();
    this.sent.push(this.callers);
    this.worker.postMessage(this.calls, this.bytes);
    [this.calls, this.callers, this.bytes] = [[], [], []];
  }

  /** A message for a single call takes longer than a trip through the pool, unless it spares several of them. */
  private sendAlone(): boolean {
    const [[name, ...values], caller] = [this.calls[0] as Sent, this.callers[0] as Waiting];
    if (SEVERAL.has(name) || name === "read") return false;
    (pool[name as CallName] as (...given: unknown[]) => Promise<unknown>)(...values).then(
      caller.resolve,
      caller.reject,
    );
    [this.calls, this.callers, this.bytes] = [[], [], []];
    return true;
  }

  private answered(answers: readonly Said[]): void {
    pulse.end();
    const callers = this.sent.shift() ?? [];
    if (this.calls.length > 0) this.sendSoon();
    // Only who waits for something keeps the process from ending.
    if (this.sent.length === 0) this.worker?.unref();
    for (const [at, said] of answers.entries()) tell(callers[at], said);
  }

  private start(): Worker {
    const worker = new Worker(new URL("./kernel.js", import.meta.url), {
      // Descriptors are everybody's: they do not end with this thread.
      trackUnmanagedFds: false,
    });
    worker.on("message", (answers: readonly Said[]) => this.answered(answers));
    // Not caught by anybody: without its thread a replica cannot go on.
    worker.on("error", (error) => {
      throw error;
    });
    return worker;
  }
}

const calls = new CallThread();

export const inOrder = calls.inOrder.bind(calls);

const on =
  (name: CallName) =>
  (...values: unknown[]): Promise<never> =>
    calls.call(name, ...values);

export const thread: Calls = {
  open: on("open"),
  openBeneath: on("openBeneath"),
  close: on("close"),
  read: async (fd, into, position) => {
    if (into.length > PIECE_BYTES_MAX) return pool.read(fd, into, position);
    const bytes = await calls.call<Uint8Array>("read", fd, into.length, position);
    into.set(bytes);
    return bytes.length;
  },
  write: (fd, bytes, position) =>
    bytes.length > PIECE_BYTES_MAX ? pool.write(fd, bytes, position) : calls.write(fd, bytes, position),
  allocate: on("allocate"),
  fill: (fd, filling) => (filling.bytes.length > PIECE_BYTES_MAX ? pool.fill(fd, filling) : calls.fill(fd, filling)),
  lookBeneath: on("lookBeneath"),
  findBeneath: on("findBeneath"),
  glance: on("glance"),
  examineBeneath: (root, path, name, sizeBytes) =>
    sizeBytes > PIECE_BYTES_MAX
      ? pool.examineBeneath(root, path, name, sizeBytes)
      : calls.call("examineBeneath", root, path, name, sizeBytes),
  readPiece: (path, sizeBytes, position) =>
    sizeBytes > PIECE_BYTES_MAX
      ? pool.readPiece(path, sizeBytes, position)
      : calls.call("readPiece", path, sizeBytes, position),
  inspect: (fd, sizeBytes) =>
    sizeBytes > PIECE_BYTES_MAX ? pool.inspect(fd, sizeBytes) : calls.call("inspect", fd, sizeBytes),
  fstat: on("fstat"),
  lstat: on("lstat"),
  fchmod: on("fchmod"),
  chmod: on("chmod"),
  fchown: on("fchown"),
  futimes: on("futimes"),
  utimes: on("utimes"),
  rename: on("rename"),
  link: on("link"),
  unlink: on("unlink"),
  mkdir: on("mkdir"),
  rmdir: on("rmdir"),
  readdir: on("readdir"),
};
