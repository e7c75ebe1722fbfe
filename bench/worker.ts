/** A process that is one contender: it starts it, then runs one load after the other as it is told over IPC. */
import { mkdtemp, rm } from "node:fs/promises";
import path from "node:path";
import { Cleanup } from "../test/cluster/cleanup.js";
import type { Contender } from "./contender.js";
import { CONTENDERS, type ContenderName } from "./contenders/index.js";
import { type Load, Worker } from "./load.js";
import { LeftOutError } from "./peers.js";

const [, , name, base] = process.argv as [string, string, ContenderName, string];
const cleanup = new Cleanup();
const directory = await mkdtemp(path.join(base, "contender-"));
cleanup.defer(() => rm(directory, { recursive: true, force: true }));

const said = (error: unknown) => ({
  error: String((error as Error).stack ?? error),
  ...(error instanceof LeftOutError && { leftOut: error.message }),
});

try {
  const contender: Contender = await CONTENDERS[name]({ cleanup, directory });
  const worker = new Worker(contender);
  process.on("message", async (load: Load) => process.send?.(await worker.run(load).catch(said)));
  process.send?.({ can: Object.keys(contender) });
} catch (error) {
  process.send?.(said(error));
}
process.once("disconnect", async () => {
  await cleanup.end();
  process.exit();
});
