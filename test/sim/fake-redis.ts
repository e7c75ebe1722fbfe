import { createHash } from "node:crypto";
import { EventEmitter } from "node:events";
import type { Redis } from "ioredis";
import { BOOK } from "../../services/lock/script.js";
import { Book } from "../lock/book.js";

interface Value {
  readonly value: string | Map<string, Buffer> | Set<string>;
  readonly untilMs: number;
}

/** It never restarts: what it forgets, it forgets as by a flush. */
const RUN_ID = "f".repeat(40);

const BOOK_SHA1 = createHash("sha1").update(BOOK).digest("hex");

type Script = (redis: FakeRedis, prefix: string, args: (string | Buffer)[]) => unknown;

const text = (value: unknown): string => (Buffer.isBuffer(value) ? value.toString("latin1") : String(value));

/** The scripts that the service sends, by the SHA-1 of their text: whoever changes one has to teach this fake. */
const SCRIPTS: Readonly<Record<string, Script>> = {
  // services/index: LOOK_UP
  b2ead06497f6e422561ac3d29afbe35fd0bc8d54: (redis, prefix, [request, ...hashes]) => [
    redis.get(`${prefix}ready`),
    redis.get(`${prefix}r:${text(request)}`),
    ...hashes.map((hash) => redis.hget(`${prefix}f:${text(hash)}`, "h")),
  ],
  // services/index: ANNOUNCE. Nobody watches files here, so the log of changes is left out.
  "1414457a2dd2f2ba21523ab94749c839d61c34e5": (redis, prefix, [_changesKeptMax, incarnation, ...rest]) => {
    const [expected = 0, batch = 0, sequence = 0, requests = 0] = rest.splice(0, 4).map(Number);
    for (let each = 0; each < requests; each++) {
      const [request, operation, expiresAtMs] = rest.splice(0, 3).map(text);
      redis.set(`${prefix}r:${request}`, operation as string, Number(expiresAtMs) - Date.now());
    }
    while (rest.length > 0) {
      const [hash, path, first, last, operation, packed] = rest.splice(0, 6);
      const file = `${prefix}f:${text(hash)}`;
      for (const revision of [first, last]) redis.hset(file, text(revision), packed as Buffer);
      const head = redis.hget(file, "h");
      if (head === null || Number.parseInt(head, 10) < Number(last)) {
        redis.hset(file, "h", `${text(last)} ${text(operation)}`);
        redis.hset(file, "p", text(path));
      }
      redis.zadd(`${prefix}paths`, text(path));
    }
    const own = text(incarnation);
    if (own === "") return -1;
    const key = `${prefix}watermarks`;
    const batches = Number(redis.hget(key, `${own} batches`) ?? 0);
    const watermark = Number(redis.hget(key, own) ?? 0);
    if (batches < expected) return watermark;
    if (batches < batch) redis.hset(key, `${own} batches`, String(batch));
    if (watermark < sequence) redis.hset(key, own, String(sequence));
    return -1;
  },
  // services/index: RENEW_REBUILD
  a988110c919a8c8e4f0f63a8cbddbf1d5acef049: (redis, prefix, [claim, ms]) =>
    redis.get(`${prefix}rebuilding`) === text(claim) && redis.expire(`${prefix}rebuilding`, Number(ms)) ? 1 : 0,
  // services/index: END_REBUILD
  fe365f1f7477c0f3be1319ffc803fbf5881d3eac: (redis, prefix, [claim, built]) => {
    if (redis.get(`${prefix}rebuilding`) !== text(claim)) return 0;
    redis.set(`${prefix}ready`, text(built));
    redis.del(`${prefix}rebuilding`);
    return 1;
  },
};

/** The memory of one Redis server: only what the service uses, with expiry by the clock of the simulation. */
export class FakeRedis {
  private readonly values = new Map<string, Value>();
  readonly subscribers = new Set<(channel: string, message: string) => void>();

  /** What lock servers keep. */
  private readonly book: Book;

  constructor(private readonly nowMs: () => number) {
    this.book = new Book(nowMs, (message) => {
      for (const subscriber of this.subscribers) subscriber("", message);
    });
  }

  private at(key: string): Value["value"] | undefined {
    const found = this.values.get(key);
    if (!found || found.untilMs > this.nowMs()) return found?.value;
    this.values.delete(key);
    return undefined;
  }

  get keys(): string[] {
    return [...this.values.keys()].filter((key) => this.at(key) !== undefined);
  }

  get(key: string): string | null {
    return (this.at(key) as string | undefined) ?? null;
  }

  set(key: string, value: string, ms = Number.POSITIVE_INFINITY): void {
    this.values.set(key, { value, untilMs: this.nowMs() + ms });
  }

  expire(key: string, ms: number): boolean {
    const value = this.at(key);
    if (value !== undefined) this.values.set(key, { value, untilMs: this.nowMs() + ms });
    return value !== undefined;
  }

  del(key: string): number {
    const isThere = this.at(key) !== undefined;
    this.values.delete(key);
    return isThere ? 1 : 0;
  }

  hash(key: string): ReadonlyMap<string, Buffer> | undefined {
    return this.at(key) as Map<string, Buffer> | undefined;
  }

  hget(key: string, field: string): string | null {
    return this.hash(key)?.get(field)?.toString("utf8") ?? null;
  }

  hset(key: string, field: string, value: string | Buffer): void {
    const fields = (this.at(key) as Map<string, Buffer> | undefined) ?? new Map<string, Buffer>();
    fields.set(field, Buffer.from(value as string));
    this.values.set(key, { value: fields, untilMs: Number.POSITIVE_INFINITY });
  }

  members(key: string): string[] {
    return [...((this.at(key) as Set<string> | undefined) ?? [])].sort((left, right) =>
      Buffer.compare(Buffer.from(left), Buffer.from(right)),
    );
  }

  zadd(key: string, member: string): void {
    const members = (this.at(key) as Set<string> | undefined) ?? new Set<string>();
    this.values.set(key, { value: members.add(member), untilMs: Number.POSITIVE_INFINITY });
  }

  /** All memory is lost, as after a restart without persistence. */
  flush(): void {
    this.book.flush();
    this.values.clear();
  }

  /** Leases end before their time, as when a server that held them is replaced. */
  loseLeases(): number {
    return this.book.lose();
  }

  script(sha1: string, keyCount: number, given: readonly unknown[]): unknown {
    if (sha1 === BOOK_SHA1) return this.book.run(String(given[keyCount]), given.slice(keyCount + 1).map(text));
    const script = SCRIPTS[sha1];
    if (!script) throw new UnknownScriptError(sha1);
    const args = given.flat() as (string | Buffer)[];
    return script(this, text(args[0]), args.slice(keyCount));
  }
}

/** A script that this fake has not been taught. */
export class UnknownScriptError extends Error {
  constructor(sha1: string) {
    super(`the fake Redis does not know the script ${sha1}; teach it in test/sim/fake-redis.ts`);
  }
}

/** What is done to one client's commands. All of it is drawn from the seed. */
export interface RedisMeddling {
  /** Before each command: waits for its turn, and may throw instead of it. */
  turn(command: string): Promise<void>;
  /** After it was carried out: may throw, as when the answer does not come in time. */
  answer(command: string): void;
  /** Tells a subscriber, as its process. */
  deliver(message: () => void): void;
  /** What must not happen at all. */
  fatal(error: unknown): void;
}

type Command = [name: string, args: unknown[]];

/** One connection: the part of ioredis that services/index and services/lock use. */
export class FakeRedisClient extends EventEmitter {
  readonly status = "ready";

  private constructor(
    private readonly server: FakeRedis,
    private readonly meddling: RedisMeddling,
  ) {
    super();
    this.setMaxListeners(0);
  }

  static connect(server: FakeRedis, meddling: RedisMeddling): Redis {
    return new FakeRedisClient(server, meddling) as unknown as Redis;
  }

  private async ask(...commands: Command[]): Promise<unknown[]> {
    const names = commands.map(([name]) => name).join(" ");
    await this.meddling.turn(names);
    const answers = commands.map(([name, args]) => this.carryOut(name, args));
    this.meddling.answer(names);
    return answers;
  }

  private async one(name: string, ...args: unknown[]): Promise<unknown> {
    return (await this.ask([name, args]))[0];
  }

  private carryOut(name: string, args: unknown[]): unknown {
    const { server } = this;
    const [key = "", ...rest] = args.map((each) => (Buffer.isBuffer(each) ? each : String(each))) as string[];
    switch (name) {
      case "get":
        return server.get(key);
      case "set":
        return this.store(key, rest);
      case "mget":
        return [key, ...rest].map((each) => server.get(each));
      case "hget":
        return server.hget(key, rest[0] as string);
      case "hset":
        return server.hset(key, rest[0] as string, rest[1] as string);
      case "hmgetBuffer":
        return rest.map((field) => server.hash(key)?.get(field) ?? null);
      case "del":
      case "unlink":
        return [key, ...rest].reduce((count, each) => count + server.del(each), 0);
      case "eval":
        return this.script(createHash("sha1").update(key).digest("hex"), args.slice(1));
      case "evalsha":
        return this.script(key, args.slice(1));
      case "zrangebylex":
        return this.range(key, rest[0] as string, rest[1] as string, Number(rest[4]));
      case "scan":
        return ["0", server.keys.filter((each) => /:[fr]:/.test(each))];
      case "info":
        return `# Server\r\nrun_id:${RUN_ID}\r\n`;
      case "publish":
        for (const subscriber of server.subscribers) subscriber(key, rest[0] as string);
        return server.subscribers.size;
      default:
        throw this.fatal(new Error(`the fake Redis does not know ${name}`));
    }
  }

  private fatal(error: unknown): unknown {
    this.meddling.fatal(error);
    return error;
  }

  private script(sha1: string, [count, ...args]: unknown[]): unknown {
    try {
      return this.server.script(sha1, Number(count), args);
    } catch (error) {
      throw this.fatal(error);
    }
  }

  private store(key: string, [value = "", unit, amount, only]: string[]): string | null {
    if (only === "NX" && this.server.get(key) !== null) return null;
    if (unit === "PXAT") this.server.set(key, value, Number(amount) - Date.now());
    else this.server.set(key, value, unit === "PX" ? Number(amount) : undefined);
    return "OK";
  }

  private range(key: string, from: string, to: string, count: number): string[] {
    const isIn = (each: string): boolean =>
      (from.startsWith("(") ? each > from.slice(1) : each >= from.slice(1)) && (to === "+" || each <= to.slice(1));
    return this.server.members(key).filter(isIn).slice(0, count);
  }

  get = (...args: unknown[]) => this.one("get", ...args);
  info = (...args: unknown[]) => this.one("info", ...args);
  set = (...args: unknown[]) => this.one("set", ...args);
  hget = (...args: unknown[]) => this.one("hget", ...args);
  hmgetBuffer = (...args: unknown[]) => this.one("hmgetBuffer", ...args);
  del = (...args: unknown[]) => this.one("del", ...args);
  unlink = (...args: unknown[]) => this.one("unlink", ...args);
  eval = (...args: unknown[]) => this.one("eval", ...args);
  evalsha = (...args: unknown[]) => this.one("evalsha", ...args);
  zrangebylex = (...args: unknown[]) => this.one("zrangebylex", ...args);
  scan = (...args: unknown[]) => this.one("scan", ...args);
  publish = (...args: unknown[]) => this.one("publish", ...args);

  async subscribe(): Promise<void> {
    this.server.subscribers.add((channel, message) =>
      this.meddling.deliver(() => void this.emit("message", channel, message)),
    );
  }

  /** Commands sent together, answered together. */
  pipeline() {
    const commands: Command[] = [];
    const add =
      (name: string) =>
      (...args: unknown[]) => {
        commands.push([name, args]);
        return queue;
      };
    const queue = {
      get: add("get"),
      mget: add("mget"),
      set: add("set"),
      hget: add("hget"),
      hset: add("hset"),
      call: (name: string, ...args: unknown[]) => add(name)(...args),
      exec: async () => (await this.ask(...commands)).map((answer) => [null, answer]),
    };
    return queue;
  }

  disconnect(): void {}
}
