import { execFileSync, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { type Cleanup, endWithParent } from "./cleanup.js";

export interface RedisOptions {
  readonly cleanup: Cleanup;
  /** Append-only with an fsync for every write; without it nothing survives a restart. */
  readonly appendonly?: boolean;
  /** Where the append-only file is; a directory of its own unless given. Given once more, the data is back. */
  readonly dir?: string;
  /** A free one unless given: a server that restarts keeps its port. */
  readonly port?: number;
}

export interface Redis {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  readonly dir: string;
  /** Sends a signal that does not end it: SIGSTOP, SIGCONT. */
  signal(signal: NodeJS.Signals): void;
  /** Ends it as a crash would, and waits. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Ends it in order, and waits. */
  stop(): Promise<void>;
}

const START_ATTEMPTS_MAX = 10;
const START_MS_MAX = 10_000;
const STOP_MS_MAX = 5_000;

/** A real redis-server on 127.0.0.1 that answers before this returns. */
export async function startRedis(options: RedisOptions): Promise<Redis> {
  const dir = options.dir ?? (await mkdtemp(path.join(tmpdir(), "safefile-redis-")));
  if (options.dir === undefined) options.cleanup.defer(() => rm(dir, { recursive: true, force: true }));
  let failure: unknown;
  for (let attempt = 0; attempt < START_ATTEMPTS_MAX; attempt++) {
    try {
      const redis = await startOn(options.port ?? (await freePort()), dir, options.appendonly ?? false);
      options.cleanup.defer(() => redis.kill());
      return redis;
    } catch (reason) {
      // Somebody may have taken the port between asking for a free one and using it.
      failure = reason;
      if (options.port !== undefined) await sleep(50);
    }
  }
  throw new Error(`redis-server did not start in ${START_ATTEMPTS_MAX} attempts`, { cause: failure });
}

async function startOn(port: number, dir: string, appendonly: boolean): Promise<Redis> {
  const durable = appendonly ? ["--appendonly", "yes", "--appendfsync", "always"] : ["--appendonly", "no"];
  const child = spawn(
    redisServer(),
    ["--bind", "127.0.0.1", "--port", String(port), "--dir", dir, "--save", "", "--daemonize", "no", ...durable],
    { cwd: dir, stdio: ["ignore", "pipe", "pipe"] },
  );
  endWithParent(child);
  let output = "";
  const keep = (chunk: Buffer) => {
    output = (output + chunk.toString()).slice(-16_384);
  };
  child.stdout.on("data", keep);
  child.stderr.on("data", keep);
  const ended = new Promise<void>((resolve) => {
    child.once("error", (error) => {
      output += error.message;
      resolve();
    });
    child.once("exit", () => resolve());
  });
  let over = false;
  void ended.then(() => {
    over = true;
  });

  const kill = async (signal: NodeJS.Signals = "SIGKILL") => {
    child.kill(signal);
    await ended;
  };
  const deadline = performance.now() + START_MS_MAX;
  // The pid in the answer tells this server from another that already listens on the port.
  while (!(await answers(port, child.pid))) {
    if (over || performance.now() > deadline) {
      await kill();
      throw new Error(`redis-server on port ${port} did not answer:\n${output}`);
    }
    await sleep(10);
  }
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    pid: child.pid!,
    dir,
    signal: (signal) => void child.kill(signal),
    kill,
    async stop() {
      child.kill("SIGTERM");
      // A stopped process does not see SIGTERM until it continues.
      child.kill("SIGCONT");
      if (await Promise.race([ended.then(() => false), sleep(STOP_MS_MAX, true, { ref: false })])) await kill();
    },
  };
}

/** One inline PING and INFO over a bare socket, so that this tests the server and no client library. */
function answers(port: number, pid: number | undefined): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    let answer = "";
    const finish = (result: boolean) => {
      socket.destroy();
      resolve(result);
    };
    socket.setTimeout(500, () => finish(false));
    socket.once("error", () => finish(false));
    socket.once("close", () => finish(false));
    socket.once("connect", () => socket.write("PING\r\nINFO server\r\n"));
    socket.on("data", (chunk) => {
      answer += chunk.toString();
      if (answer.startsWith("-")) finish(false);
      else if (answer.includes("uptime_in_seconds")) {
        finish(answer.startsWith("+PONG\r\n") && answer.includes(`process_id:${pid}\r\n`));
      }
    });
  });
}

/** A port that is free now. Not reserved: whoever uses it must be ready to try another. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => {
        if (address !== null && typeof address === "object") resolve(address.port);
        else reject(new Error("no port"));
      });
    });
  });
}

let server: string | undefined;

function redisServer(): string {
  server ??=
    process.env.REDIS_SERVER_BIN ??
    execFileSync(fileURLToPath(new URL("../../../scripts/ensure-redis.sh", import.meta.url)), {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "inherit"],
    }).trim();
  return server;
}
