#!/usr/bin/env node
import { runCommand } from "./program.js";

const INTERRUPTED = 130;

const interrupt = new AbortController();
process.once("SIGINT", () => {
  interrupt.abort(new Error("interrupted"));
  // A second Ctrl-C does not wait for anything.
  process.once("SIGINT", () => process.exit(INTERRUPTED));
});
// `safefile ls | head` is no failure.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});

process.exitCode = await runCommand(process.argv.slice(2), {
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  signal: interrupt.signal,
  now: () => new Date(),
});
