import { stat } from "node:fs/promises";
import path from "node:path";
import { CliError, EXIT } from "../failure.js";
import type { Output } from "../output.js";
import { type Check, type Examined, examine, type Verdict } from "./check.js";
import { clockSkew, timestamps } from "./clock.js";
import { syncDirectory, syncFile } from "./durability.js";
import { inodes, largeFiles } from "./inode.js";
import { mountCheck } from "./mount.js";
import { caseSensitive, createExclusive, linkExclusive, modeBits, unicodeNames } from "./names.js";
import { kernelCheck, procFd } from "./platform.js";
import { reflink } from "./reflink.js";
import { openReader, renameAtomic, renameSource } from "./rename.js";
import { Scratch } from "./scratch.js";
import { space } from "./space.js";

/** What safety rests on comes first. */
export const CHECKS: readonly Check[] = [
  renameAtomic,
  renameSource,
  createExclusive,
  linkExclusive,
  openReader,
  syncFile,
  syncDirectory,
  inodes,
  timestamps,
  caseSensitive,
  unicodeNames,
  modeBits,
  largeFiles,
  reflink,
  clockSkew,
  mountCheck(),
  space,
  kernelCheck(),
  procFd,
];

const MARKS: Readonly<Record<Verdict, string>> = { ok: "ok  ", warn: "WARN", fail: "FAIL" };

/** `doctor DIR`: true when nothing failed. */
export async function doctor(dir: string, output: Output, checks: readonly Check[] = CHECKS): Promise<boolean> {
  const volume = path.resolve(dir);
  if (!(await stat(volume)).isDirectory()) throw new CliError(`${volume} is not a directory`, EXIT.usage);
  await using scratch = await Scratch.make(volume);
  const found: Examined[] = [];
  for (const check of checks) {
    const examined = await examine(check, scratch);
    found.push(examined);
    // A check may take a second: people see each as it ends.
    if (!output.json) await show(examined, output);
  }
  const number = (result: Verdict) => found.filter((examined) => examined.result === result).length;
  const failed = number("fail");
  await output.result(
    { dir: volume, result: failed > 0 ? "fail" : number("warn") > 0 ? "warn" : "ok", checks: found },
    "",
    `${volume}: ${number("ok")} ok, ${number("warn")} to look at, ${failed} failed. ${conclusion(failed, number("warn"))}`,
  );
  return failed === 0;
}

function conclusion(failed: number, warned: number): string {
  if (failed > 0) return "It must not be a volume.";
  return warned > 0 ? "It can be a volume, within what the warnings say." : "It can be a volume.";
}

async function show({ result, name, seen, follows }: Examined, output: Output): Promise<void> {
  await output.item({}, `${MARKS[result]}  ${name.padEnd(20)}${seen}`);
  await output.item({}, `      ${"".padEnd(20)}${follows}`);
}
