import type { SafefileClient } from "@safefile/client";
import { CliError, EXIT } from "./failure.js";
import type { Output } from "./output.js";
import type { ProgressWish } from "./progress.js";

/** What each command is given. */
export interface CommandContext {
  readonly client: SafefileClient;
  /** Of the service, for messages. */
  readonly address: string;
  readonly output: Output;
  readonly progress: ProgressWish;
  /** Ctrl-C. */
  readonly signal: AbortSignal;
  readonly now: () => Date;
}

/** A path of the volume as people type it: `./a/`, `/a` and `a` are the same, `.` is the root. */
export function volumePath(typed: string): string {
  const names = typed.split("/").filter((name) => name !== "" && name !== ".");
  return names.join("/").normalize("NFC");
}

/** The same, where the root makes no sense. */
export function filePath(typed: string): string {
  const path = volumePath(typed);
  if (path === "") throw new CliError(`"${typed}" names no file of the volume`, EXIT.usage);
  return path;
}

/** The last name of a path. */
export function baseName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** `1 file`, `2 files`. */
export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}
