/** A process that is one contender: it starts it, then runs one load after the other as it is told over IPC. */
import { mkdtemp, rm } from "node:fs/promises";
import path from "node:path";
import { Cleanup } from "../test/cluster/cleanup.js";
import { CONTENDERS, type ContenderName } from "./contenders/index.js";
import { type Load, Worker } from "./load.js";

const [, , name, base] = process.argv as [string, string, ContenderName, string];
const cleanup = new Cleanup();
const directory = await mkdtemp(path.join(base, "contender-"));
cleanup.defer(() => rm(directory, { recursive: true, force: true }));

const said = (error: unknown): { error: string } => ({ error: String((error as Error).stack ?? error) });

try {
  const worker = new Worker(await CONTENDERS[name]({ cleanup, directory }));
  process.on("message", async (load: Load) => process.send?.(await worker.run(load).catch(said)));
  process.send?.("ready");
} catch (error) {
  process.send?.(said(error));
}
process.once("disconnect", async () => {
  await cleanup.end();
  process.exit();
});
