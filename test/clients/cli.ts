import { spawn } from "node:child_process";
import { mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { type Cleanup, endWithParent } from "../cluster/cleanup.js";

const MAIN = fileURLToPath(new URL("./dist/main.js", import.meta.resolve("@safefile/cli/package.json")));

export interface CliRun {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CliOptions {
  readonly address: string;
  readonly cwd?: string;
  readonly stdin?: string | Uint8Array;
  /** SIGINT after this line was seen on stdout or stderr. */
  readonly interruptAt?: RegExp;
}

/** Runs the built command as a process of its own. */
export async function safefile(args: readonly string[], options: CliOptions): Promise<CliRun> {
  const { SAFEFILE_ADDRESS: _own, ...env } = process.env;
  const child = spawn(process.execPath, ["--enable-source-maps", MAIN, ...args], {
    cwd: options.cwd,
    env: { ...env, SAFEFILE_ADDRESS: options.address },
    stdio: ["pipe", "pipe", "pipe"],
  });
  endWithParent(child);
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  let interrupted = options.interruptAt === undefined;
  const look = () => {
    if (interrupted || !options.interruptAt?.test(Buffer.concat([...out, ...err]).toString())) return;
    interrupted = true;
    child.kill("SIGINT");
  };
  for (const [stream, chunks] of [
    [child.stdout, out],
    [child.stderr, err],
  ] as const) {
    stream.on("data", (chunk: Buffer) => {
      chunks.push(chunk);
      look();
    });
  }
  child.stdin.on("error", () => undefined);
  child.stdin.end(options.stdin ?? "");
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  return { code, stdout: Buffer.concat(out).toString("latin1"), stderr: Buffer.concat(err).toString() };
}

/** One object a line. */
export function jsonLines(stdout: string): Record<string, unknown>[] {
  return Buffer.from(stdout, "latin1")
    .toString()
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

export async function tempDir(cleanup: Cleanup): Promise<string> {
  const dir = await mkdtemp(path.join(await realpath(tmpdir()), "safefile-local-"));
  cleanup.defer(() => rm(dir, { recursive: true, force: true }));
  return dir;
}
