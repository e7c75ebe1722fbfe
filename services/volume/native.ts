/** The kernel calls that Node lacks, through koffi's prebuilt binary. openat2 and fallocate only make things better:
 * their callers have a way of their own where they are missing (old kernels, seccomp). */
import { isUtf8 } from "node:buffer";
import { constants } from "node:fs";
import { constants as osConstants } from "node:os";
import koffi from "koffi";
import { pulse } from "./pulse.js";
import { codeOf } from "./volume.js";

/** The most that koffi takes; every change has a few calls under way at most. Its own limit of 256 is met by many changes
 * at once, and one call more throws. */
const CALLS_MAX = 4096;
koffi.config({ max_async_calls: CALLS_MAX });
const libc = koffi.load("libc.so.6");
koffi.struct("open_how", { flags: "uint64_t", mode: "uint64_t", resolve: "uint64_t" });
const syscall = libc.func("long syscall(long number, int at, const char *path, const open_how *how, size_t size)");
const posixFallocate = libc.func("int fallocate(int fd, int mode, int64_t offset, int64_t length)");

const syncfs = libc.func("int syncfs(int fd)");
const fsetxattr = libc.func("int fsetxattr(int fd, const char *name, const uint8_t *value, size_t size, int flags)");
const llistxattr = libc.func("int64_t llistxattr(const char *path, _Out_ uint8_t *list, size_t size)");
const listxattr = libc.func("int64_t listxattr(const char *path, _Out_ uint8_t *list, size_t size)");
const getxattr = libc.func("int64_t getxattr(const char *path, const char *name, _Out_ uint8_t *value, size_t size)");
const lgetxattr = libc.func("int64_t lgetxattr(const char *path, const char *name, _Out_ uint8_t *value, size_t size)");

const flistxattr = libc.func("int64_t flistxattr(int fd, _Out_ uint8_t *list, size_t size)");

const OPENAT2 = 437;
export const O_PATH = 0o10000000;
/** Neither follows a symlink nor waits for whoever writes into a FIFO. */
export const OPEN_PLAIN = constants.O_NOFOLLOW | constants.O_NONBLOCK;
const O_CLOEXEC = 0o2000000;
const RESOLVE_NO_XDEV = 1n;
const RESOLVE_NO_MAGICLINKS = 2n;
const RESOLVE_NO_SYMLINKS = 4n;
const RESOLVE_BENEATH = 8n;
const how = (flags: number) => ({
  flags: BigInt(flags | O_CLOEXEC),
  mode: 0n,
  resolve: RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH,
});
const beneath = how(O_PATH | constants.O_DIRECTORY);
const seenBeneath = how(O_PATH);
const readBeneath = how(constants.O_RDONLY | constants.O_NONBLOCK);

/**
 * Opens the directory `path` below `root` (openat2(2), Linux 5.6): no symlink, mount point or `..` is followed.
 * Undefined when the call failed for whatever reason: errno is per thread and lost on the way back from koffi's
 * pool, so the caller walks the components to learn why.
 */
export function openBeneath(root: number, path: string): Promise<number | undefined> {
  const opened = new Promise<number | undefined>((resolve, reject) => {
    syscall.async(OPENAT2, root, path, beneath, 24, (error: Error | null, fd: number | bigint) => {
      if (error) reject(error);
      else resolve(Number(fd) < 0 ? undefined : Number(fd));
    });
  });
  return pulse.watch(opened);
}

/** As `openBeneath`, on this thread. */
export const openBeneathNow = (root: number, path: string): number | undefined => openNow(root, path, beneath);

/** Opens the file `path` below `root` as `openBeneath` opens directories, to be read, or to be looked at only. */
export const openFileNow = (root: number, path: string, isRead: boolean): number | undefined =>
  openNow(root, path, isRead ? readBeneath : seenBeneath);

function openNow(root: number, path: string, as: ReturnType<typeof how>): number | undefined {
  const fd = Number(syscall(OPENAT2, root, path, as, 24));
  return fd < 0 ? undefined : fd;
}

/** As `allocate`, on this thread. */
export const allocateNow = (fd: number, sizeBytes: number): boolean => posixFallocate(fd, 0, 0, sizeBytes) === 0;

/** Allocates the first `sizeBytes` bytes of a file (fallocate(2)). False when the file system cannot. */
export function allocate(fd: number, sizeBytes: number): Promise<boolean> {
  const allocated = new Promise<boolean>((resolve) => {
    posixFallocate.async(fd, 0, 0, sizeBytes, (error: Error | null, result: number) =>
      resolve(error === null && result === 0),
    );
  });
  return pulse.watch(allocated);
}

/**
 * Calls `call` on koffi's pool. One that fails is made once more, on this thread, because errno is lost on the way back
 * from the pool; throws an error with its code.
 */
function made(call: ReturnType<typeof libc.func>, ...values: unknown[]): Promise<number> {
  const done = new Promise<number>((resolve, reject) => {
    call.async(...values, (error: Error | null, result: number | bigint) => {
      if (error) return reject(error);
      if (Number(result) >= 0) return resolve(Number(result));
      const again = Number(call(...values));
      if (again >= 0) return resolve(again);
      const code = CODES.get(koffi.errno()) ?? "EIO";
      reject(Object.assign(new Error(`${code}: ${call.info.name}`), { code }));
    });
  });
  return pulse.watch(done);
}

const XATTR_BYTES = 512;
const CODES = new Map(Object.entries(osConstants.errno).map(([code, number]) => [number, code]));

/** Flushes the file system that `fd` is in (syncfs(2)): contents and names. False when that failed. */
export const syncFileSystem = (fd: number): Promise<boolean> =>
  pulse.watch(
    new Promise((resolve) => {
      syncfs.async(fd, (error: Error | null, result: number) => resolve(error === null && result === 0));
    }),
  );

/** Whether an open file has extended attributes, or may have; on this thread. */
export const hasXattrsNow = (fd: number): boolean => Number(flistxattr(fd, null, 0)) !== 0;

export async function setXattr(fd: number, name: string, value: Uint8Array): Promise<void> {
  await made(fsetxattr, fd, name, value, value.length, 0);
}

/**
 * Names and values of one file's extended attributes that start with `prefix`. A name that is not UTF-8 is left out:
 * no message could carry it. Throws ERANGE for more than `bytesMax` bytes of names, or in one value.
 */
export async function readXattrs(path: string, prefix: string, bytesMax: number): Promise<[string, Uint8Array][]> {
  const names = namesIn(await xattr(llistxattr, [path], bytesMax), prefix);
  const found: [string, Uint8Array][] = [];
  for (const name of names) {
    found.push([name.slice(prefix.length), Buffer.from(await xattr(lgetxattr, [path, name], bytesMax))]);
  }
  return found;
}

/** As `readXattrs`, of an open file and on this thread; undefined when it failed for whatever reason. */
export function readXattrsNow(fd: number, prefix: string, bytesMax: number): [string, Uint8Array][] | undefined {
  const path = `/proc/self/fd/${fd}`;
  // Most files have none, and that is told without room for them.
  const listBytes = Number(listxattr(path, null, 0));
  if (listBytes <= 0) return listBytes === 0 ? [] : undefined;
  const list = Buffer.allocUnsafe(bytesMax);
  const foundBytes = Number(listxattr(path, list, list.length));
  if (foundBytes < 0) return undefined;
  const found: [string, Uint8Array][] = [];
  for (const name of namesIn(list.subarray(0, foundBytes), prefix)) {
    const value = Buffer.allocUnsafe(bytesMax);
    const sizeBytes = Number(getxattr(path, name, value, value.length));
    if (sizeBytes < 0) return undefined;
    found.push([name.slice(prefix.length), new Uint8Array(value.subarray(0, sizeBytes))]);
  }
  return found;
}

function namesIn(list: Buffer, prefix: string): string[] {
  const names = list
    .toString("latin1")
    .split("\0")
    .map((name) => Buffer.from(name, "latin1"));
  return names
    .filter(isUtf8)
    .map(String)
    .filter((name) => name.startsWith(prefix));
}

/** What `call` says: hardly ever more than fits into a small buffer. */
async function xattr(
  call: typeof lgetxattr,
  values: readonly string[],
  bytesMax: number,
  sizeBytes = Math.min(XATTR_BYTES, bytesMax),
): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(sizeBytes);
  try {
    return bytes.subarray(0, await made(call, ...values, bytes, sizeBytes));
  } catch (error) {
    if (codeOf(error) !== "ERANGE" || sizeBytes === bytesMax) throw error;
    return await xattr(call, values, bytesMax, bytesMax);
  }
}
