import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { type Cleanup, endWithParent } from "../cluster/cleanup.js";

export interface ProgramOptions {
  readonly cleanup: Cleanup;
  /** Relative to dist/. */
  readonly main: string;
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
}

export interface Program {
  readonly pid: number;
  output(): string;
  signal(signal: NodeJS.Signals): void;
  /** Waits until the output matches; rejects when the program ends before. */
  waitFor(pattern: RegExp, msMax?: number): Promise<RegExpExecArray>;
  readonly exited: Promise<number | NodeJS.Signals>;
}

const WAIT_MS_MAX = 60_000;

/** Starts a program of the project as `make` does. Settings of the test's own environment do not reach it. */
export function startProgram({ cleanup, main, cwd, env }: ProgramOptions): Program {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(SAFEFILE_|OTEL_|NODE_TEST_CONTEXT$)/.test(name));
  const child = spawn(process.execPath, [fileURLToPath(new URL(`../../${main}`, import.meta.url))], {
    cwd,
    env: { ...Object.fromEntries(inherited), ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  endWithParent(child);
  let output = "";
  let over = false;
  const keep = (chunk: Buffer) => {
    output += chunk.toString();
  };
  child.stdout.on("data", keep);
  child.stderr.on("data", keep);
  const exited = new Promise<number | NodeJS.Signals>((resolve) => {
    const finish = (code: number | null, signal: NodeJS.Signals | null) => {
      over = true;
      resolve(signal ?? code ?? 0);
    };
    // With "close" its last output has been read; but what a killed program leaves running keeps its output open.
    child.once("close", finish);
    child.once("exit", (code, signal) => signal && finish(code, signal));
  });
  cleanup.defer(async () => {
    child.kill("SIGTERM");
    await exited;
  });
  return {
    pid: child.pid!,
    output: () => output,
    signal: (signal) => void child.kill(signal),
    async waitFor(pattern, msMax = WAIT_MS_MAX) {
      const untilMs = performance.now() + msMax;
      for (;;) {
        const found = pattern.exec(output);
        if (found) return found;
        if (over || performance.now() > untilMs) throw new Error(`${main} did not say ${pattern}:\n${output}`);
        await sleep(20);
      }
    },
    exited,
  };
}

/** A process that has ended and is only not yet reaped does not count. */
export function isRunning(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return !stat.slice(stat.lastIndexOf(")")).startsWith(") Z");
  } catch {
    return false;
  }
}

/** Whether it is over soon: a signal takes a moment to arrive. */
export async function endsSoon(pid: number): Promise<boolean> {
  for (const untilMs = performance.now() + 5_000; isRunning(pid); await sleep(20))
    if (performance.now() > untilMs) return false;
  return true;
}
