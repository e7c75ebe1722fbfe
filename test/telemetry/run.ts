import { spawn } from "node:child_process";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { endWithParent } from "../cluster/cleanup.js";
import type { Report } from "./program.js";

export interface Run {
  readonly report: Report;
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number | null;
  /** From the report, when all work was done, to the end of the process. */
  readonly lingeredMs: number;
}

export interface RunOptions {
  readonly redis: string;
  /** write, read, fenced, replay or quoting: one call each, in order. */
  readonly scenarios: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** More words on the command line. */
  readonly argv?: readonly string[];
  /** Without it, what a process does that was started without the register file. */
  readonly registered?: boolean;
}

const dist = fileURLToPath(new URL("../../", import.meta.url));

/** Runs `program.ts` to its end, with OpenTelemetry registered as a replica registers it. */
export async function runProgram({ redis, scenarios, env, argv = [], registered = true }: RunOptions): Promise<Run> {
  const register = pathToFileURL(path.join(dist, "services/telemetry/register.js")).href;
  const inherited = Object.entries(process.env).filter(([name]) => !/^(SAFEFILE_|OTEL_|NODE_TEST_CONTEXT$)/.test(name));
  const child = spawn(
    process.execPath,
    [
      ...(registered ? ["--import", register] : []),
      path.join(dist, "test/telemetry/program.js"),
      ...scenarios,
      ...argv,
    ],
    { env: { ...Object.fromEntries(inherited), REDIS_URL: redis, ...env }, stdio: ["ignore", "pipe", "pipe"] },
  );
  endWithParent(child);
  let stdout = "";
  let stderr = "";
  let doneMs = Number.NaN;
  child.stdout.on("data", (chunk: Buffer) => {
    stdout += chunk.toString();
    if (stdout.includes('{"calls"')) doneMs = performance.now();
  });
  child.stderr.on("data", (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  const line = stdout.split("\n").find((text) => text.startsWith('{"calls"'));
  if (line === undefined) throw new Error(`the program did not report (code ${code}):\n${stdout}\n${stderr}`);
  return { report: JSON.parse(line) as Report, stdout, stderr, code, lingeredMs: performance.now() - doneMs };
}
