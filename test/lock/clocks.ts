import { execFileSync } from "node:child_process";
import { chmod, mkdtemp, open, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import type { Cleanup } from "../cluster/cleanup.js";
import type { Redis } from "../cluster/redis.js";

/**
 * A wall clock of one's own: seconds in a mapped file are added to the real one. libfaketime does the same, but ends
 * where jemalloc asks for the time before it is ready, as in Debian's Redis; this calls the kernel and nothing else.
 */
const PRELOAD = `
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile long long *ahead;

__attribute__((constructor)) static void begin(void) {
  const char *name = getenv("CLOCK_FILE");
  int file = name ? open(name, O_RDONLY) : -1;
  void *at = file < 0 ? MAP_FAILED : mmap(0, sizeof *ahead, PROT_READ, MAP_SHARED, file, 0);
  if (at != MAP_FAILED) ahead = at;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
  int outcome = syscall(SYS_clock_gettime, clock, now);
  if (outcome == 0 && clock == CLOCK_REALTIME && ahead) now->tv_sec += *ahead;
  return outcome;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  struct timespec real;
  (void)zone;
  if (clock_gettime(CLOCK_REALTIME, &real) != 0) return -1;
  now->tv_sec = real.tv_sec;
  now->tv_usec = real.tv_nsec / 1000;
  return 0;
}

time_t time(time_t *into) {
  struct timespec real;
  clock_gettime(CLOCK_REALTIME, &real);
  if (into) *into = real.tv_sec;
  return real.tv_sec;
}
`;

const realServer = (): string =>
  process.env.REDIS_SERVER_BIN ??
  execFileSync(fileURLToPath(new URL("../../../scripts/ensure-redis.sh", import.meta.url)), {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  }).trim();

/**
 * From now on each server that this process starts has a wall clock that can be set while it runs. To be called before
 * the first one is started. False where there is no C compiler.
 */
export async function ownClocks(cleanup: Cleanup): Promise<boolean> {
  const dir = await mkdtemp(path.join(tmpdir(), "safefile-clocks-"));
  cleanup.defer(() => rm(dir, { recursive: true, force: true }));
  const [source, library, program] = ["clock.c", "clock.so", "redis-server"].map((name) => path.join(dir, name));
  await writeFile(source as string, PRELOAD);
  try {
    const words = ["-shared", "-fPIC", "-O1", "-o", library as string, source as string];
    execFileSync("cc", words, { stdio: ["ignore", "ignore", "pipe"] });
  } catch {
    return false;
  }
  const script = `#!/usr/bin/env bash
head -c 8 /dev/zero >clock
CLOCK_FILE="$PWD/clock" LD_PRELOAD=${library} exec ${realServer()} "$@"
`;
  await writeFile(program as string, script);
  await chmod(program as string, 0o755);
  process.env.REDIS_SERVER_BIN = program;
  return true;
}

/** Sets a server's clock so far ahead of the real one. */
export async function stepClock({ dir }: Redis, seconds: number): Promise<void> {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64LE(BigInt(seconds));
  const file = await open(path.join(dir, "clock"), "r+");
  await file.write(bytes, 0, 8, 0);
  await file.close();
}
