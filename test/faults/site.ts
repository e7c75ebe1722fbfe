import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface, type Interface } from "node:readline";
import { SafefileClient } from "@safefile/client";
import { Redis as Client } from "ioredis";
import { Cleanup } from "../cluster/cleanup.js";
import { type Redis, startRedis } from "../cluster/redis.js";
import { type Replica, startReplica } from "../cluster/replica.js";
import { tempVolume } from "../cluster/volume.js";
import type { Fault, State } from "./fault.js";

/** Nobody is declared dead for silence here, and no lease ends by itself: all that ends is what a fault ended. */
const SETTINGS = {
  incarnationDeadMs: 600_000,
  leaseMs: 60_000,
  wakeUpMsMax: 20,
  journalGrowBytes: 65_536,
  segmentBytesMax: 1_048_576,
};
const SURVIVOR = { ...SETTINGS, heartbeatMs: 50 };
/** A victim's own signs of life would be counted among the calls of its operation. */
const VICTIM = { ...SETTINGS, heartbeatMs: 60_000 };

/** A replica whose calls to the file system can be made to fail. */
export class Victim {
  private constructor(
    private readonly cleanup: Cleanup,
    readonly replica: Replica,
    readonly client: SafefileClient,
    private readonly socket: Socket,
    private readonly lines: Interface,
  ) {
    this.gone = once(lines, "close").then(() => Promise.reject(new Error("the victim is gone")));
    this.gone.catch(() => undefined);
  }

  private readonly gone: Promise<never>;

  static async start(
    volume: string,
    redis: Redis,
    compiled: string,
    config: Readonly<Record<string, unknown>>,
  ): Promise<Victim> {
    const cleanup = new Cleanup();
    try {
      const directory = await temporary(cleanup, "victim");
      const at = path.join(directory, "injector.sock");
      const replica = await startReplica({
        cleanup,
        volume,
        redis: [redis.url],
        config: { ...VICTIM, ...config },
        env: {
          NODE_OPTIONS: `--import ${new URL("./injector.js", import.meta.url).href}`,
          SAFEFILE_TEST_INJECTOR: at,
          // Compiling what it loads is a good part of a victim's short life.
          NODE_COMPILE_CACHE: compiled,
          SAFEFILE_LOG_LEVEL: "info",
        },
      });
      const socket = connect(at).on("error", () => undefined);
      cleanup.defer(() => socket.destroy());
      await once(socket, "connect");
      const client = new SafefileClient({ address: replica.address, retry: { attemptsMax: 1 } });
      cleanup.defer(() => client.close());
      return new Victim(cleanup, replica, client, socket, createInterface({ input: socket }));
    } catch (error) {
      await cleanup.end();
      throw error;
    }
  }

  /** From now on its calls are counted, and `fault` happens to one of them. */
  async arm(fault: Fault): Promise<void> {
    await this.ask({ arm: fault });
  }

  /** What happened since it was armed. */
  async disarm(): Promise<State> {
    return this.ask({ disarm: true });
  }

  private async ask(request: unknown): Promise<State> {
    const answer = once(this.lines, "line");
    answer.catch(() => undefined);
    this.socket.write(`${JSON.stringify(request)}\n`);
    const [line] = (await Promise.race([answer, this.gone])) as string[];
    return JSON.parse(line as string) as State;
  }

  end(): Promise<void> {
    return this.cleanup.end();
  }
}

/** A volume that a survivor serves, while victims come and go. */
export class Site {
  private constructor(
    readonly volume: string,
    readonly redis: Redis,
    readonly survivor: SafefileClient,
    private readonly leases: Client,
    /** Where victims find what earlier ones have compiled. */
    private readonly compiled: string,
  ) {}

  static async start(cleanup: Cleanup): Promise<Site> {
    const volume = await tempVolume(cleanup);
    const redis = await startRedis({ cleanup });
    const replica = await startReplica({ cleanup, volume, redis: [redis.url], config: SURVIVOR });
    const client = new SafefileClient({ address: replica.address });
    cleanup.defer(() => client.close());
    const leases = new Client(redis.url);
    cleanup.defer(() => leases.disconnect());
    return new Site(volume, redis, client, leases, await temporary(cleanup, "compiled"));
  }

  /** Ends every lease at once, as time does; nothing but the order of who waits may depend on them. */
  async endLeases(): Promise<void> {
    const keys = await this.leases.keys("safefile:*:lock:i:*");
    if (keys.length > 0) await this.leases.del(...keys);
  }

  victim(config: Readonly<Record<string, unknown>> = {}): Promise<Victim> {
    return Victim.start(this.volume, this.redis, this.compiled, config);
  }

  /** A name below `.safefile/`. */
  control(name: string): string {
    return path.join(this.volume, ".safefile", name);
  }
}

async function temporary(cleanup: Cleanup, what: string): Promise<string> {
  const directory = await mkdtemp(path.join(tmpdir(), `safefile-${what}-`));
  cleanup.defer(() => rm(directory, { recursive: true, force: true, maxRetries: 3 }));
  return directory;
}
