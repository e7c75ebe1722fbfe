/**
 * `make run`, the embedded default: one replica with a Redis of its own and a volume in ./data, until Ctrl-C.
 * Everything that is not the volume lies in ./.run, so that the volume holds nothing of ours but `.safefile`.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import path from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { type Config, ConfigError, loadConfig } from "./config.js";
import { NODE_ARGUMENTS, REPLICA_MAIN } from "./node-arguments.js";

const EXIT_FAILED = 1;
const EXIT_CONFIG = 78;
/** A replica leaves with this when it could not keep a promise; started again it recovers, as after a kill. */
const EXIT_LEFT = 70;

/** More within the window, and starting again does not help. */
const RESTARTS_MAX = 5;
const RESTARTS_WINDOW_MS = 60_000;
/** Somebody else may take a free port before Redis does. */
const REDIS_STARTS_MAX = 5;
/** Loading a large append-only file takes a while. */
const REDIS_READY_MS_MAX = 60_000;
const REDIS_STOP_MS_MAX = 10_000;
/** What a replica may take beyond its own `drainMs`. */
const REPLICA_STOP_MS_MORE = 5_000;
const ORPHAN_STOP_MS_MAX = 15_000;
const REDIS_OUTPUT_CHARS_MAX = 4_096;
const DEFAULT_ADDRESS = "127.0.0.1:7420";
const LEVELS = { silent: 100, fatal: 60, error: 50, warn: 40, info: 30, debug: 20 } as const;

/** What a person must do something about; the message says what. */
class RunError extends Error {}

/** A process by a name that is never used again. */
interface ProcessName {
  readonly pid: number;
  /** Clock ticks from the host's start to its own: a number used again has another one. */
  readonly startTicks: string;
}

function nameOf(pid: number): ProcessName | undefined {
  try {
    // The fields after the command's name, which may hold anything, count from 3; the start time is field 22.
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" ? undefined : { pid, startTicks: fields[19] ?? "" };
  } catch {
    return undefined;
  }
}

const isAlive = ({ pid, startTicks }: ProcessName): boolean => nameOf(pid)?.startTicks === startTicks;

/** Who runs here, in a file: a second run is refused, and what a killed one left running is found and ended. */
class Hold {
  readonly #children = new Map<number, ProcessName>();

  private constructor(private readonly file: string) {}

  static async take(file: string, volume: string): Promise<Hold> {
    const hold = new Hold(file);
    for (;;) {
      const own = `${file}.${process.pid}`;
      writeFileSync(own, hold.#text());
      try {
        linkSync(own, file);
        return hold;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      } finally {
        rmSync(own, { force: true });
      }
      await hold.#clear(volume);
    }
  }

  /** Remembers a child; one that has ended is forgotten. */
  add({ pid }: ChildProcess): void {
    const name = pid === undefined ? undefined : nameOf(pid);
    if (name) this.#children.set(name.pid, name);
    for (const [known, child] of this.#children) if (!isAlive(child)) this.#children.delete(known);
    const next = `${this.file}.${process.pid}`;
    writeFileSync(next, this.#text());
    renameSync(next, this.file);
  }

  release(): void {
    rmSync(this.file, { force: true });
  }

  #text(): string {
    return `${JSON.stringify({ ...nameOf(process.pid), children: [...this.#children.values()] })}\n`;
  }

  /** Moves the file of a run that is over out of the way. Throws when that run is not over. */
  async #clear(volume: string): Promise<void> {
    const text = readOrNothing(this.file);
    if (text === undefined) return;
    const holder = parsed(text) as Partial<ProcessName> & { readonly children?: readonly ProcessName[] };
    if (holder.pid && holder.startTicks && isAlive(holder as ProcessName)) {
      throw new RunError(
        `Another \`make run\` (process ${holder.pid}) serves ${volume}. Use that one, or end it with: kill ${holder.pid}`,
      );
    }
    // The replica, which started last, needs Redis to leave in order.
    for (const child of holder.children?.toReversed() ?? []) await endOrphan(child);
    const aside = `${this.file}.${process.pid}`;
    if (readOrNothing(this.file) === text) renameSync(this.file, aside);
    // A rival that was faster has put its own there between reading and renaming: give it back.
    if ((readOrNothing(aside) ?? text) !== text) linkSync(aside, this.file);
    rmSync(aside, { force: true });
  }
}

async function endOrphan(child: ProcessName): Promise<void> {
  if (!isAlive(child)) return;
  say(`Ending process ${child.pid}, which an earlier \`make run\` left behind.`);
  process.kill(child.pid, "SIGTERM");
  for (const untilMs = performance.now() + ORPHAN_STOP_MS_MAX; isAlive(child); await sleep(50))
    if (performance.now() > untilMs) process.kill(child.pid, "SIGKILL");
}

/** Redis and the replica, from the start to the end of both. */
class Run {
  #stopping = false;
  #redis: ChildProcess | undefined;
  #replica: ChildProcess | undefined;
  #redisPort = 0;
  #address: string | undefined;
  #restartsMs: number[] = [];

  constructor(
    private readonly config: Config,
    private readonly volume: string,
    private readonly state: string,
    private readonly hold: Hold,
    private readonly fail: (reason: string) => void,
  ) {}

  async start(): Promise<void> {
    await mkdir(path.join(this.state, "redis"), { recursive: true });
    for (let attempt = 1; this.#redis === undefined && !this.#stopping; attempt++) {
      this.#redisPort = await tryPort("127.0.0.1", 0);
      await this.#startRedis().catch((error: unknown) => {
        if (attempt >= REDIS_STARTS_MAX) throw error;
      });
    }
    await this.#startReplica();
  }

  /** The replica first: it writes to Redis until it is done. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await end(this.#replica, this.config.drainMs * 2 + REPLICA_STOP_MS_MORE);
    await end(this.#redis, REDIS_STOP_MS_MAX);
    this.hold.release();
  }

  killNow(): void {
    this.#replica?.kill("SIGKILL");
    this.#redis?.kill("SIGKILL");
  }

  async #startRedis(): Promise<void> {
    if (this.#stopping) return;
    const dir = path.join(this.state, "redis");
    const durable = ["--appendonly", "yes", "--appendfsync", "always", "--save", ""];
    // The older name of hash-max-listpack-value, which all versions know.
    const compact = ["--hash-max-ziplist-value", "128"];
    const child = spawn(
      process.env.REDIS_SERVER_BIN ?? "redis-server",
      [
        "--bind",
        "127.0.0.1",
        "--port",
        String(this.#redisPort),
        "--dir",
        dir,
        "--daemonize",
        "no",
        ...durable,
        ...compact,
      ],
      // A group of its own: Ctrl-C goes to all processes of the terminal, and Redis must outlive the replica.
      { cwd: dir, detached: true, stdio: ["ignore", "pipe", "pipe"] },
    );
    this.#redis = child;
    this.hold.add(child);
    let output = "";
    const ready = new Promise<"ready">((resolve) => {
      const keep = (chunk: Buffer) => {
        output = (output + chunk.toString()).slice(-REDIS_OUTPUT_CHARS_MAX);
        if (output.includes("Ready to accept connections")) resolve("ready");
      };
      child.stdout?.on("data", keep);
      child.stderr?.on("data", keep);
    });
    const late = sleep(REDIS_READY_MS_MAX, "It was not ready in time.", { ref: false });
    const first = await Promise.race([ready, ended(child), late]);
    if (first === "ready") {
      void ended(child).then(() => this.#again("Redis", () => this.#startRedis()));
      return;
    }
    await end(child, 0);
    this.#redis = undefined;
    if (this.#stopping) return;
    throw new RunError(
      `Redis did not start (${child.spawnfile}). Should its file be damaged, delete ${dir}: the volume has all that ` +
        `is needed to build it again.\n${first}\n${output}`,
    );
  }

  /** Bounded, so that what cannot be helped by it is not tried for ever. */
  #again(what: string, start: () => Promise<void>): void {
    if (this.#stopping) return;
    const nowMs = performance.now();
    this.#restartsMs = this.#restartsMs.filter((atMs) => nowMs - atMs < RESTARTS_WINDOW_MS);
    if (this.#restartsMs.push(nowMs) > RESTARTS_MAX) {
      this.fail(`${what} ended again and again.`);
      return;
    }
    say(`${what} ended; starting it again.`);
    start().catch((error: Error) => this.fail(error.message));
  }

  async #startReplica(): Promise<void> {
    if (this.#stopping) return;
    const { config } = this;
    const url = `redis://127.0.0.1:${this.#redisPort}`;
    const child = spawn(process.execPath, [...NODE_ARGUMENTS, REPLICA_MAIN], {
      // Not the terminal's group, for the signal is passed on: twice would be once too often.
      detached: true,
      stdio: ["ignore", "pipe", "inherit"],
      env: {
        ...process.env,
        SAFEFILE_VOLUME_ROOT: this.volume,
        SAFEFILE_REDIS_URLS: url,
        SAFEFILE_INDEX_URL: url,
        // The line that says it is ready is one of level info. What is shown is decided here.
        SAFEFILE_LOG_LEVEL: config.logLevel === "debug" ? "debug" : "info",
        // Once a port was found, clients know it.
        ...(this.#address === undefined ? {} : { SAFEFILE_LISTEN: this.#address }),
      },
    });
    this.#replica = child;
    this.hold.add(child);
    createInterface({ input: child.stdout! }).on("line", (line) => this.#logged(line));
    void ended(child).then((exit) => {
      if (child.exitCode === EXIT_LEFT || child.signalCode !== null)
        this.#again("The replica", () => this.#startReplica());
      else if (!this.#stopping) this.fail(`The replica ended with ${exit}.`);
    });
  }

  #logged(line: string): void {
    const { level, time, msg, pid, hostname, ...rest } = parsed(line);
    if (typeof level !== "number") {
      process.stdout.write(`${line}\n`);
      return;
    }
    if (msg === "ready" && typeof rest.address === "string") {
      say(this.#address === undefined ? invitation(rest.address, this.volume) : "Ready again.");
      this.#address = rest.address;
    } else if (level >= LEVELS[this.config.logLevel]) {
      const facts = Object.entries(rest).map(([key, value]) => ` ${key}=${JSON.stringify(value)}`);
      const name = Object.entries(LEVELS).find((each) => each[1] <= level)?.[0];
      process.stderr.write(`${new Date(Number(time)).toISOString()} ${name} ${String(msg)}${facts.join("")}\n`);
    }
  }
}

function invitation(address: string, volume: string): string {
  const where = address === DEFAULT_ADDRESS ? "" : `SAFEFILE_ADDRESS=${address} `;
  const safefile = `  ${where}node_modules/.bin/safefile`;
  return `Safefile is ready at ${address}. Its volume is ${volume}; Ctrl-C ends it.

Try, in another terminal:

${safefile} put package.json try/package.json
${safefile} log try/package.json
${safefile} rollback try/package.json 1

\`make\` put the command there; --help says what else it does. Spoil the file by hand before the rollback:
what you made of it is kept as a revision, too.`;
}

const say = (text: string): void => void process.stdout.write(`${text}\n`);

/** Fulfilled with the code or the signal when a process has ended, or could not be started. */
function ended(child: ChildProcess): Promise<string> {
  const how = (): string => child.signalCode ?? `code ${child.exitCode}`;
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve(how());
  return new Promise((resolve) => {
    child.once("error", (error) => resolve(error.message)).once("exit", () => resolve(how()));
  });
}

/** Ends a process in order, after `msMax` by force, and waits. */
async function end(child: ChildProcess | undefined, msMax: number): Promise<void> {
  if (child?.pid === undefined) return;
  const over = ended(child);
  child.kill("SIGTERM");
  if ((await Promise.race([over, sleep(msMax, undefined, { ref: false })])) !== undefined) return;
  child.kill("SIGKILL");
  await over;
}

function readOrNothing(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}

/** Nothing for what is not a JSON object. */
function parsed(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

/** Listens for a moment. Returns the port; throws when it is taken. */
function tryPort(host: string, port: number): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const server = createServer().once("error", reject);
  server.listen(port, host, () => {
    const found = (server.address() as AddressInfo).port;
    server.close(() => resolve(found));
  });
  return promise;
}

async function checkListen(listen: string): Promise<void> {
  const colon = listen.lastIndexOf(":");
  try {
    await tryPort(listen.slice(0, colon).replace(/^\[(.*)\]$/, "$1"), Number(listen.slice(colon + 1)));
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why = code === "EADDRINUSE" ? `${listen} is taken by another program.` : `${listen}: ${message}.`;
    throw new RunError(`${why} Stop that, or choose another address: SAFEFILE_LISTEN=127.0.0.1:7421 make run`);
  }
}

async function main(): Promise<void> {
  const config = loadConfig(process.env);
  const [volume, state] = [path.resolve(config.volumeRoot), path.resolve(".run")];
  if (!path.relative(volume, state).startsWith(".."))
    throw new RunError(`The volume ${volume} must not hold ${state}: name another with SAFEFILE_VOLUME_ROOT.`);
  await mkdir(volume, { recursive: true });
  await mkdir(state, { recursive: true });
  const hold = await Hold.take(path.join(state, "run.json"), volume);
  let leaving = false;
  const leave = (code: number): void => {
    if (leaving) return;
    leaving = true;
    run.stop().then(() => process.exit(code), stopWith);
  };
  const fail = (reason: string): void => {
    process.stderr.write(`${reason}\n`);
    leave(EXIT_FAILED);
  };
  const run = new Run(config, volume, state, hold, fail);
  process.on("exit", () => run.killNow());
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
    process.on(signal, () => {
      // Whoever asks twice does not want to wait.
      if (leaving) run.killNow();
      else say("Stopping.");
      leave(0);
    });
  try {
    await checkListen(config.listen);
    await run.start();
  } catch (error) {
    fail((error as Error).message);
  }
}

function stopWith(error: unknown): never {
  const isConfig = error instanceof ConfigError;
  const text = error instanceof RunError ? error.message : String((error as Error).stack ?? error);
  process.stderr.write(isConfig ? `The settings cannot be used:\n${error.message}\n` : `${text}\n`);
  process.exit(isConfig ? EXIT_CONFIG : EXIT_FAILED);
}

await main().catch(stopWith);
