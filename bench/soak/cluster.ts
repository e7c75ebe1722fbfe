import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { SafefileClient } from "@safefile/client";
import { Redis } from "ioredis";
import type { Cleanup } from "../../test/cluster/cleanup.js";
import { startRedis } from "../../test/cluster/redis.js";
import type { Dice } from "../../test/lock/dice.js";
import { Member } from "./member.js";
import type { Kill, Usage } from "./recording.js";

/** Two are killed. The third one never is, so that its memory shows whether that stays flat. */
export const MEMBERS = ["killed-1", "killed-2", "steady"] as const;
const MORTAL = 2;
/** Of so many replicas that were killed, the newest, what they had logged is kept. */
const DEAD_LOGS_MAX = 8;
const MiB = 2 ** 20;

/** Replicas on one volume, with one Redis that forgets nothing. */
export class Cluster {
  /** One for each replica. */
  readonly clients: readonly SafefileClient[];
  /** Rejects when one of the replicas ends by itself. */
  readonly failed: Promise<never>;
  private deaths = 0;
  private readonly dead: (readonly [name: string, logs: string])[] = [];

  private constructor(
    private readonly members: readonly Member[],
    private readonly redis: Redis,
    readonly volume: string,
  ) {
    this.clients = this.addresses.map((address) => new SafefileClient({ address }));
    this.failed = Promise.race(members.map((member) => member.failed));
    this.failed.catch(() => undefined);
  }

  /** Volume and Redis are kept below `base`. */
  static async start(cleanup: Cleanup, base: string): Promise<Cluster> {
    const [volume, dir] = [path.join(base, "volume"), path.join(base, "redis")];
    for (const directory of [volume, dir]) await mkdir(directory);
    const { url } = await startRedis({ cleanup, appendonly: true, dir });
    const redis = new Redis(url);
    cleanup.defer(() => redis.disconnect());
    const members: Member[] = [];
    for (const name of MEMBERS) members.push(await Member.start(name, { cleanup, volume, redis: url }));
    const cluster = new Cluster(members, redis, volume);
    cleanup.defer(() => cluster.clients.map((client) => client.close()));
    return cluster;
  }

  get addresses(): readonly string[] {
    return this.members.map(({ address }) => address);
  }

  async usage(atMs: number): Promise<Usage> {
    const usages = await Promise.all(this.members.map((member) => member.usage()));
    const used = Number(/^used_memory:(\d+)/m.exec(await this.redis.info("memory"))?.[1]);
    return {
      atMs,
      residentMb: usages.map((usage) => usage && usage.residentBytes / MiB),
      descriptors: usages.map((usage) => usage?.descriptors),
      redisMb: used / MiB,
    };
  }

  /** In each period, at a moment drawn from its middle, kills one that is drawn, and starts it again at once. */
  async killAll(dice: Dice, periodMs: number, untilMs: number, now: () => number, killed: (kill: Kill) => void) {
    for (let period = 0; (period + 1) * periodMs <= untilMs; period++) {
      await sleep(Math.max(0, (period + 0.1 + 0.8 * (dice.below(1_000) / 1_000)) * periodMs - now()));
      const member = this.members[dice.below(MORTAL)] as Member;
      const atMs = now();
      this.deaths += 1;
      this.dead.push([`${member.name}-death-${this.deaths}`, await member.kill()]);
      if (this.dead.length > DEAD_LOGS_MAX) this.dead.shift();
      await member.start();
      killed({ atMs, member: member.name, downMs: now() - atMs });
    }
  }

  /** Puts what the replicas, also the dead ones, have logged into `directory`. */
  async keepLogs(directory: string): Promise<void> {
    const living = this.members.map((member) => [member.name, member.logs()] as const);
    for (const [name, logs] of [...living, ...this.dead]) await writeFile(path.join(directory, `${name}.log`), logs);
  }
}
