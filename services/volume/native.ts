/** The two kernel calls that Node lacks, through koffi's prebuilt binary. Both only ever make things better:
 * each caller has a way of its own when they are missing (old kernels, seccomp). */
import { constants } from "node:fs";
import koffi from "koffi";

const libc = koffi.load("libc.so.6");
koffi.struct("open_how", { flags: "uint64_t", mode: "uint64_t", resolve: "uint64_t" });
const syscall = libc.func("long syscall(long number, int at, const char *path, const open_how *how, size_t size)");
const posixFallocate = libc.func("int fallocate(int fd, int mode, int64_t offset, int64_t length)");

const OPENAT2 = 437;
export const O_PATH = 0o10000000;
const O_CLOEXEC = 0o2000000;
const RESOLVE_NO_XDEV = 1n;
const RESOLVE_NO_MAGICLINKS = 2n;
const RESOLVE_NO_SYMLINKS = 4n;
const RESOLVE_BENEATH = 8n;
const beneath = {
  flags: BigInt(O_PATH | constants.O_DIRECTORY | O_CLOEXEC),
  mode: 0n,
  resolve: RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH,
};

/**
 * Opens the directory `path` below `root` (openat2(2), Linux 5.6): no symlink, mount point or `..` is followed.
 * Undefined when the call failed for whatever reason: errno is per thread and lost on the way back from koffi's
 * pool, so the caller walks the components to learn why.
 */
export function openBeneath(root: number, path: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    syscall.async(OPENAT2, root, path, beneath, 24, (error: Error | null, fd: number | bigint) => {
      if (error) reject(error);
      else resolve(Number(fd) < 0 ? undefined : Number(fd));
    });
  });
}

/** Allocates the first `sizeBytes` bytes of a file (fallocate(2)). False when the file system cannot. */
export function allocate(fd: number, sizeBytes: number): Promise<boolean> {
  return new Promise((resolve) => {
    posixFallocate.async(fd, 0, 0, sizeBytes, (error: Error | null, result: number) =>
      resolve(error === null && result === 0),
    );
  });
}
