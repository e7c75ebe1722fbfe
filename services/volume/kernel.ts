/**
 * What `thread` runs: makes the calls of each message one after the other, and answers them in one message. Nothing else
 * is ever done on this thread, so a volume that hangs holds up nobody but those who wait for it.
 */
import { hash } from "node:crypto";
import fs from "node:fs";
import { parentPort, type TransferListItem } from "node:worker_threads";
import type { Calls, Examined, Filling } from "./calls.js";
import { allocateNow, hasXattrsNow, OPEN_PLAIN, openBeneathNow, openFileNow, readXattrsNow } from "./native.js";
import { NOTHING, some } from "./pool.js";
import { toStat } from "./stat.js";
import { codeOf, type Inspected, type Stat, USER, XATTR_BYTES_MAX } from "./volume.js";

export type CallName = keyof Calls;

/** A call as it is sent: of the bytes to be read only how many they are. */
export type Sent = readonly [name: CallName, ...values: unknown[]] | readonly [name: "inOrder", calls: readonly Sent[]];

/** What the kernel said: a value, or the code and the sentence of an error. */
export type Said = { readonly value: unknown } | { readonly code: string; readonly message: string };

/** As `unless`, for a call that is made at once. */
function unlessCode<T>(codes: readonly string[], call: () => T): T | undefined {
  try {
    return call();
  } catch (error) {
    if (codes.includes(codeOf(error) ?? "")) return undefined;
    throw error;
  }
}

const lookNow = (directory: number, name: string): Stat | undefined =>
  unlessCode(NOTHING, () => toStat(fs.lstatSync(`/proc/self/fd/${directory}/${name}`, { bigint: true })));

/** A plain file, or undefined for anything that cannot be opened as one. */
function plainNow(path: string): { readonly fd: number; readonly stat: Stat } | undefined {
  let fd: number;
  try {
    fd = fs.openSync(path, OPEN_PLAIN);
  } catch {
    return undefined;
  }
  try {
    const stat = toStat(fs.fstatSync(fd, { bigint: true }));
    if (stat.type === "file") return { fd, stat };
  } catch (error) {
    fs.closeSync(fd);
    throw error;
  }
  fs.closeSync(fd);
  return undefined;
}

function readNow(fd: number, sizeBytes: number, position: number): Uint8Array {
  const bytes = Buffer.allocUnsafeSlow(sizeBytes);
  let done = 0;
  for (let read = -1; read !== 0 && done < sizeBytes; done += read)
    read = fs.readSync(fd, bytes, done, sizeBytes - done, position + done);
  return bytes.subarray(0, done);
}

const digestNow = (fd: number, sizeBytes: number): Uint8Array => hash("sha256", readNow(fd, sizeBytes, 0), "buffer");

function inspectNow(fd: number, sizeBytes: number): Inspected {
  const sha256 = digestNow(fd, sizeBytes);
  return { stat: toStat(fs.fstatSync(fd, { bigint: true })), sha256 };
}

type Made = { readonly [Name in CallName]: (...values: never[]) => unknown };

const KERNEL: Made = {
  open: fs.openSync,
  openBeneath: openBeneathNow,
  close: fs.closeSync,
  read: (fd: number, sizeBytes: number, position: number) => {
    const bytes = Buffer.allocUnsafeSlow(sizeBytes);
    return bytes.subarray(0, fs.readSync(fd, bytes, 0, sizeBytes, position));
  },
  write: (fd: number, bytes: Uint8Array, position: number) => fs.writeSync(fd, bytes, 0, bytes.length, position),
  allocate: allocateNow,
  fill(fd: number, { bytes, reserve, owner, mode, seconds }: Filling) {
    if (reserve && bytes.length > 0) allocateNow(fd, bytes.length);
    for (let done = 0; done < bytes.length; ) done += some(fs.writeSync(fd, bytes, done, bytes.length - done, done));
    if (owner) unlessCode(["EPERM"], () => fs.fchownSync(fd, owner.uid, owner.gid));
    fs.fchmodSync(fd, mode);
    fs.futimesSync(fd, seconds, seconds);
    return inspectNow(fd, bytes.length);
  },
  lookBeneath(root: number, path: string, name: string) {
    const directory = openBeneathNow(root, path);
    if (directory === undefined) return undefined;
    try {
      return { stat: lookNow(directory, name) };
    } finally {
      fs.closeSync(directory);
    }
  },
  findBeneath(root: number, path: string, name: string) {
    const directory = openBeneathNow(root, path);
    if (directory === undefined) return undefined;
    try {
      return { directory, stat: lookNow(directory, name) };
    } catch (error) {
      fs.closeSync(directory);
      throw error;
    }
  },
  inspect: inspectNow,
  glance(root: number, path: string, bytesMax: number) {
    const fd = openFileNow(root, path, bytesMax > 0);
    if (fd === undefined) return undefined;
    try {
      const stat = toStat(fs.fstatSync(fd, { bigint: true }));
      if (stat.type !== "file") return undefined;
      const xattrs = readXattrsNow(fd, USER, XATTR_BYTES_MAX);
      const bytes = readNow(fd, Math.min(bytesMax, stat.sizeBytes), 0);
      return xattrs && { stat, xattrs: Object.fromEntries(xattrs), bytes };
    } catch {
      return undefined;
    } finally {
      fs.closeSync(fd);
    }
  },
  examineBeneath(root: number, path: string, name: string, sizeBytes: number): Examined | undefined {
    const directory = openBeneathNow(root, path);
    if (directory === undefined) return undefined;
    try {
      const stat = lookNow(directory, name);
      if (stat?.type !== "file") return { stat };
      const plain = plainNow(`/proc/self/fd/${directory}/${name}`);
      if (!plain) return undefined;
      try {
        const hasXattrs = hasXattrsNow(plain.fd);
        if (plain.stat.sizeBytes !== sizeBytes) return { stat: plain.stat, hasXattrs };
        return { stat: plain.stat, hasXattrs, sha256: digestNow(plain.fd, sizeBytes) };
      } finally {
        fs.closeSync(plain.fd);
      }
    } finally {
      fs.closeSync(directory);
    }
  },
  readPiece(path: string, sizeBytes: number, position: number) {
    const plain = plainNow(path);
    if (!plain) return undefined;
    try {
      return readNow(plain.fd, Math.max(0, Math.min(sizeBytes, plain.stat.sizeBytes - position)), position);
    } finally {
      fs.closeSync(plain.fd);
    }
  },
  fstat: (fd: number) => toStat(fs.fstatSync(fd, { bigint: true })),
  lstat: (path: string) => toStat(fs.lstatSync(path, { bigint: true })),
  fchmod: fs.fchmodSync,
  chmod: fs.chmodSync,
  fchown: fs.fchownSync,
  futimes: fs.futimesSync,
  utimes: fs.utimesSync,
  rename: fs.renameSync,
  link: fs.linkSync,
  unlink: fs.unlinkSync,
  mkdir: (path: string, mode: number) => void fs.mkdirSync(path, mode),
  rmdir: (path: string) => fs.rmdirSync(path),
  readdir: (path: string) => fs.readdirSync(path),
};

function make([name, ...values]: Sent): Said {
  if (name === "inOrder") return { value: inOrder(values[0] as readonly Sent[]) };
  try {
    return { value: KERNEL[name](...(values as never[])) };
  } catch (error) {
    const { code = "EIO", message } = error as NodeJS.ErrnoException;
    return { code, message };
  }
}

/** Ends with the first that fails. */
function inOrder(calls: readonly Sent[]): Said[] {
  const answers: Said[] = [];
  for (const call of calls) {
    const said = make(call);
    answers.push(said);
    if (!("value" in said)) break;
  }
  return answers;
}

parentPort?.on("message", (calls: readonly Sent[]) => {
  const answers = calls.map(make);
  const bytes = answers.flatMap((said): TransferListItem[] =>
    "value" in said && said.value instanceof Uint8Array ? [said.value.buffer as ArrayBuffer] : [],
  );
  parentPort?.postMessage(answers, bytes);
});
