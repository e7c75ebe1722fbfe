import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { type Cleanup, endWithParent } from "../../test/cluster/cleanup.js";
import type { Reading } from "./meter.js";
import { Violation } from "./violation.js";
import type { Due, Order, Said } from "./worker.js";

/** The processes that make the load. */
export class Crew {
  private readonly processes: ChildProcess[] = [];
  private readonly dues: Promise<readonly Due[]>[] = [];
  private readonly failing = Promise.withResolvers<never>();

  /** Rejects with the first violation that one of them sees, or with whatever else ends it. */
  readonly failed: Promise<never> = this.failing.promise;

  private constructor(private readonly heard: (reading: Reading, at: number) => void) {
    this.failed.catch(() => undefined);
  }

  static start(cleanup: Cleanup, orders: readonly Order[], heard: (reading: Reading, at: number) => void): Crew {
    const crew = new Crew(heard);
    for (const order of orders) crew.add(cleanup, order);
    return crew;
  }

  /** Lets them finish what they are at, and account for it all. */
  async stop(): Promise<readonly Due[]> {
    for (const child of this.processes) child.send("stop");
    return (await Promise.race([Promise.all(this.dues), this.failed])).flat();
  }

  private add(cleanup: Cleanup, order: Order): void {
    const child = fork(fileURLToPath(new URL("worker.js", import.meta.url)), { serialization: "advanced" });
    endWithParent(child);
    cleanup.defer(async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill("SIGKILL");
      await once(child, "exit");
    });
    const { promise, resolve } = Promise.withResolvers<readonly Due[]>();
    child.on("message", (said: Said) => {
      if ("reading" in said) this.heard(said.reading, said.at);
      else if ("dues" in said) resolve(said.dues);
      else if ("violation" in said) this.failing.reject(new Violation(said.violation));
      else this.failing.reject(new Error(said.failure));
    });
    child.once("exit", (code, signal) => this.failing.reject(new Error(`${order.name} ended with ${signal ?? code}`)));
    child.send(order);
    this.processes.push(child);
    this.dues.push(promise);
  }
}
