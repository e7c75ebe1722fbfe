import type { Scratch } from "./scratch.js";

export type Verdict = "ok" | "warn" | "fail";

/** What a check saw, and what follows from it. */
export interface Finding {
  readonly result: Verdict;
  readonly seen: string;
  /** One sentence: what it means for Safefile. */
  readonly follows: string;
}

export interface Check {
  /** Stable, for scripts. */
  readonly name: string;
  readonly run: (scratch: Scratch) => Promise<Finding>;
}

export interface Examined extends Finding {
  readonly name: string;
}

export const ok = (seen: string, follows: string): Finding => ({ result: "ok", seen, follows });
export const warn = (seen: string, follows: string): Finding => ({ result: "warn", seen, follows });
export const fail = (seen: string, follows: string): Finding => ({ result: "fail", seen, follows });

/** How long a check may take: a volume that hangs is a finding, and no reason to hang with it. */
const CHECK_MS_MAX = 60_000;

/** Runs a check. One that breaks has failed: what it tests could not be shown. */
export async function examine(check: Check, scratch: Scratch, msMax = CHECK_MS_MAX): Promise<Examined> {
  const late = Promise.withResolvers<Finding>();
  const follows = "Safefile needs this and it could not be shown; do not use this directory as a volume before it can.";
  const timer = setTimeout(() => late.resolve(fail(`no end after ${msMax} ms`, follows)), msMax);
  try {
    return { name: check.name, ...(await Promise.race([check.run(scratch), late.promise])) };
  } catch (error) {
    return { name: check.name, ...fail(`broke off: ${(error as Error).message}`, follows) };
  } finally {
    clearTimeout(timer);
  }
}

/** The error's code, or the code's absence in words. */
export async function codeOf(step: Promise<unknown>): Promise<string> {
  try {
    await step;
    return "no error";
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? (error as Error).message;
  }
}
