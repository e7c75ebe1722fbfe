import { readdir, readFile } from "node:fs/promises";
import { Cleanup } from "../../test/cluster/cleanup.js";
import { freePort } from "../../test/cluster/redis.js";
import { type Replica, startReplica } from "../../test/cluster/replica.js";

export interface MemberOptions {
  readonly cleanup: Cleanup;
  readonly volume: string;
  readonly redis: string;
}

/** A replica's place in the cluster: an address, at which it is started again whenever it was killed. */
export class Member {
  private replica: Replica | undefined;
  /** What the present replica has started; ended with it, or an hour of restarts would pile up. */
  private own = new Cleanup();
  private readonly failing = Promise.withResolvers<never>();

  /** Rejects when it ends without having been killed. */
  readonly failed: Promise<never> = this.failing.promise;

  private constructor(
    readonly name: string,
    readonly address: string,
    private readonly options: MemberOptions,
  ) {
    this.failed.catch(() => undefined);
    options.cleanup.defer(() => this.kill());
  }

  static async start(name: string, options: MemberOptions): Promise<Member> {
    const member = new Member(name, `127.0.0.1:${await freePort()}`, options);
    await member.start();
    return member;
  }

  /** Returns when it is ready to serve. */
  async start(): Promise<void> {
    const { volume, redis } = this.options;
    const env = { SAFEFILE_LOG_LEVEL: "info", SAFEFILE_LISTEN: this.address };
    const replica = await startReplica({ cleanup: this.own, volume, redis: [redis], env });
    this.replica = replica;
    void replica.exited.then(({ code, signal }) => {
      if (this.replica === replica)
        this.failing.reject(new Error(`${this.name} ended with ${signal ?? code}:\n${replica.logs().slice(-8_192)}`));
    });
  }

  /** As a crash would. What it had written to its log is the answer. */
  async kill(): Promise<string> {
    const logs = this.logs();
    this.replica = undefined;
    await this.own.end();
    this.own = new Cleanup();
    return logs;
  }

  logs(): string {
    return this.replica?.logs() ?? "";
  }

  /** Undefined while it is not there. */
  async usage(): Promise<{ readonly residentBytes: number; readonly descriptors: number } | undefined> {
    const pid = this.replica?.pid;
    if (pid === undefined) return undefined;
    try {
      const status = await readFile(`/proc/${pid}/status`, "utf8");
      const descriptors = (await readdir(`/proc/${pid}/fd`)).length;
      return { residentBytes: Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1_024, descriptors };
    } catch {
      return undefined;
    }
  }
}
