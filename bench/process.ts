import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { type Cleanup, endWithParent } from "../test/cluster/cleanup.js";
import type { ContenderName } from "./contenders/index.js";
import type { Findings, Load } from "./load.js";
import { LeftOutError } from "./peers.js";

/** Its servers end with it. */
const END_MS_MAX = 20_000;

/** A contender in a process of its own, so that none slows another one's event loop or garbage collection. */
export class ContenderProcess {
  private can: readonly string[] = [];

  private constructor(private readonly child: ChildProcess) {}

  /** Throws LeftOutError when what it needs is not here. */
  static async start(cleanup: Cleanup, name: ContenderName, base: string): Promise<ContenderProcess> {
    const child = fork(fileURLToPath(new URL("worker.js", import.meta.url)), [name, base], {
      serialization: "advanced",
    });
    endWithParent(child);
    cleanup.defer(async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.disconnect();
      const late = setTimeout(() => child.kill("SIGKILL"), END_MS_MAX);
      await once(child, "exit");
      clearTimeout(late);
    });
    const started = new ContenderProcess(child);
    const { can } = (await started.answer(`${name} did not start`)) as { can: readonly string[] };
    started.can = can;
    return started;
  }

  /** Undefined when it cannot do that. */
  async run(load: Load): Promise<Findings | undefined> {
    if (!this.can.includes(load.workload)) return undefined;
    this.child.send(load);
    return (await this.answer(`${load.workload} failed`)) as Findings;
  }

  private async answer(what: string): Promise<unknown> {
    const ended = new AbortController();
    try {
      const [answer] = await Promise.race([
        once(this.child, "message", ended),
        once(this.child, "exit", ended).then(([code]) => [{ error: `its process ended with ${code}` }]),
      ]);
      if (typeof answer === "object" && "leftOut" in answer) throw new LeftOutError(answer.leftOut);
      if (typeof answer === "object" && "error" in answer) throw new Error(`${what}: ${answer.error}`);
      return answer;
    } finally {
      ended.abort();
    }
  }
}
