import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { NODE_ARGUMENTS, REPLICA_MAIN } from "../../services/node-arguments.js";
import { type Cleanup, endWithParent } from "./cleanup.js";

export interface ReplicaOptions {
  readonly cleanup: Cleanup;
  /** The directory it serves. */
  readonly volume: string;
  /** URLs of the Redis servers that vote. */
  readonly redis: readonly string[];
  /** Added last, so it wins. Settings of the test's own environment (SAFEFILE_*, OTEL_*) do not reach a replica. */
  readonly env?: Readonly<Record<string, string>>;
  /** Becomes the replica's safefile.yaml. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** How long it may take to be ready. Replaying a long journal takes a while. */
  readonly readyMsMax?: number;
  /** Kills it when aborted, ready or not. */
  readonly kill?: AbortSignal;
  /** Another program than the server, relative to dist/. */
  readonly main?: string;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface Replica {
  /** host:port of its gRPC server. */
  readonly address: string;
  readonly incarnation: string;
  readonly pid: number;
  /** What it has written to stdout and stderr, the newest 8 MiB of it. */
  logs(): string;
  /** SIGSTOP, SIGCONT, … */
  signal(signal: NodeJS.Signals): void;
  /** Ends it as a crash would: SIGKILL, and waits. */
  kill(): Promise<Exit>;
  /** Ends it in order: SIGTERM, and waits. Throws when it has to be killed after all. */
  stop(): Promise<Exit>;
  /** Fulfilled when it has ended, for whatever reason. */
  readonly exited: Promise<Exit>;
}

/** A replica that said it is ready: of the logs, what counts is one line with `msg: "ready"`. */
interface Ready {
  readonly address: string;
  readonly incarnation: string;
}

const READY_MS_MAX = 30_000;
const STOP_MS_MAX = 15_000;
const LOG_CHARS_MAX = 8 * 1024 * 1024;

const dist = fileURLToPath(new URL("../../", import.meta.url));

/** Starts the compiled server as a process of its own and waits until it is ready. */
export async function startReplica(options: ReplicaOptions): Promise<Replica> {
  // Its own working directory: a safefile.yaml lying around is not picked up.
  const cwd = await mkdtemp(path.join(tmpdir(), "safefile-replica-"));
  options.cleanup.defer(() => rm(cwd, { recursive: true, force: true }));
  // JSON is YAML.
  if (options.config !== undefined) await writeFile(path.join(cwd, "safefile.yaml"), JSON.stringify(options.config));

  const child = spawn(
    process.execPath,
    [...NODE_ARGUMENTS, options.main ? path.join(dist, options.main) : REPLICA_MAIN],
    { cwd, env: environment(options), stdio: ["ignore", "pipe", "pipe"] },
  );
  endWithParent(child);

  let logs = "";
  const keep = (text: string) => {
    logs += text;
    if (logs.length > 2 * LOG_CHARS_MAX) logs = logs.slice(-LOG_CHARS_MAX);
  };
  const exited = new Promise<Exit>((resolve) => {
    child.once("error", (error) => {
      keep(`${error.message}\n`);
      resolve({ code: null, signal: null });
    });
    // "close" comes after "exit", when the last output has been read.
    child.once("close", (code, signal) => resolve({ code, signal }));
  });
  const kill = () => {
    child.kill("SIGKILL");
    return exited;
  };
  options.cleanup.defer(kill);
  options.kill?.addEventListener("abort", kill, { once: true });

  const ready = new Promise<Ready>((resolve) => {
    createInterface({ input: child.stdout }).on("line", (line) => {
      keep(`${line}\n`);
      const found = readyIn(line);
      if (found !== undefined) resolve(found);
    });
  });
  child.stderr.on("data", (chunk: Buffer) => keep(chunk.toString()));

  const readyMsMax = options.readyMsMax ?? READY_MS_MAX;
  const timer = new AbortController();
  const first = await Promise.race([
    ready,
    exited.then(({ code, signal }) => `ended with ${signal ?? `code ${code}`} before it was ready`),
    sleep(readyMsMax, `was not ready within ${readyMsMax} ms`, { signal: timer.signal }),
  ]);
  timer.abort();
  if (typeof first === "string") {
    await kill();
    throw new Error(`The replica ${first}:\n${logs.slice(-LOG_CHARS_MAX)}`);
  }
  return {
    ...first,
    pid: child.pid!,
    logs: () => logs.slice(-LOG_CHARS_MAX),
    signal: (signal) => void child.kill(signal),
    kill,
    async stop() {
      child.kill("SIGTERM");
      // A stopped process does not see SIGTERM until it continues.
      child.kill("SIGCONT");
      const late = new AbortController();
      const exit = await Promise.race([exited, sleep(STOP_MS_MAX, undefined, { signal: late.signal })]);
      late.abort();
      if (exit !== undefined) return exit;
      await kill();
      throw new Error(`The replica did not stop within ${STOP_MS_MAX} ms of SIGTERM:\n${logs.slice(-LOG_CHARS_MAX)}`);
    },
    exited,
  };
}

function environment({ volume, redis, env }: ReplicaOptions): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(SAFEFILE_|OTEL_|NODE_TEST_CONTEXT$)/.test(name));
  return {
    ...Object.fromEntries(inherited),
    SAFEFILE_LISTEN: "127.0.0.1:0",
    SAFEFILE_VOLUME_ROOT: volume,
    SAFEFILE_REDIS_URLS: redis.join(","),
    OTEL_TRACES_EXPORTER: "none",
    OTEL_METRICS_EXPORTER: "none",
    OTEL_LOGS_EXPORTER: "none",
    ...env,
  };
}

function readyIn(line: string): Ready | undefined {
  if (!line.startsWith("{") || !line.includes('"ready"')) return undefined;
  try {
    const { msg, address, incarnation } = JSON.parse(line) as Record<string, unknown>;
    return msg === "ready" && typeof address === "string" && typeof incarnation === "string"
      ? { address, incarnation }
      : undefined;
  } catch {
    return undefined;
  }
}
