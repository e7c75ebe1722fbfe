import { spawn } from "node:child_process";
import { readdir, readFile, stat } from "node:fs/promises";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { endWithParent } from "../../test/cluster/cleanup.js";

/** What it cost to handle some bytes by commands of others. */
export interface Figures {
  readonly seconds: number;
  readonly bytesPerSecond: number;
  /** Of the command's own, in user and system time. What the kernel writes back by itself is nobody's. */
  readonly processorSeconds: number;
  readonly maxRssMiB: number;
}

export interface Job {
  readonly command: readonly [string, ...string[]];
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** What is on the file system of this path is made durable afterwards, within the time that counts. */
  readonly synced?: string;
}

/** A process is gone before one could ask what it has used, so one asks while it runs. */
const LOOK_MS = 10;
/** Linux counts processor time in hundredths of a second, whatever its own ticks are. */
const TICKS_A_SECOND = 100;

export async function timed(bytes: number, job: Job): Promise<Figures> {
  const startMs = performance.now();
  const { processorSeconds, maxRssMiB } = await run(job);
  if (job.synced) await run({ command: ["sync", "-f", job.synced] });
  const seconds = (performance.now() - startMs) / 1000;
  return { seconds, bytesPerSecond: bytes / seconds, processorSeconds, maxRssMiB };
}

/** Bytes of all files beneath `tree`. */
export async function bytesIn(tree: string): Promise<number> {
  let bytes = 0;
  for (const entry of await readdir(tree, { recursive: true, withFileTypes: true }))
    if (entry.isFile()) bytes += (await stat(path.join(entry.parentPath, entry.name))).size;
  return bytes;
}

type Usage = Pick<Figures, "processorSeconds" | "maxRssMiB">;

/** Throws with what the command said unless it ends with 0. */
export async function run({ command: [file, ...args], cwd, env }: Omit<Job, "synced">): Promise<Usage> {
  const child = spawn(file, args, { stdio: ["ignore", "ignore", "pipe"], cwd, env: { ...process.env, ...env } });
  endWithParent(child);
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-4_096);
  });
  let over = false;
  const ended = new Promise<string | number | null>((resolve) => {
    child.once("error", ({ message }) => resolve(message));
    child.once("close", (code, signal) => resolve(signal ?? code));
  }).finally(() => {
    over = true;
  });
  let usage: Usage = { processorSeconds: 0, maxRssMiB: 0 };
  while (!over) {
    usage = (await usageOf(child.pid)) ?? usage;
    await Promise.race([ended, sleep(LOOK_MS)]);
  }
  const how = await ended;
  if (how !== 0) throw new Error(`${file} ${args.join(" ")} ended with ${how}:\n${said}`);
  return usage;
}

async function usageOf(pid: number | undefined): Promise<Usage | undefined> {
  try {
    const [stat, status] = await Promise.all([
      readFile(`/proc/${pid}/stat`, "utf8"),
      readFile(`/proc/${pid}/status`, "utf8"),
    ]);
    // The name, in parentheses, may hold spaces; state is the first field after it.
    const [, , , , , , , , , , , user, system] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const peakKiB = /^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1];
    // A process that has ended and was not waited for has no memory any more.
    if (peakKiB === undefined) return undefined;
    return {
      processorSeconds: (Number(user) + Number(system)) / TICKS_A_SECOND,
      maxRssMiB: Number(peakKiB) / 1024,
    };
  } catch {
    return undefined;
  }
}
