/**
 * Flushes and closes that fail, below everything that Safefile does about it: the real call is made, and then an
 * error is reported instead of its success. Import this before anything that imports services/volume.
 */
import fs from "node:fs";

export type Call = "fdatasync" | "fsync" | "close";

/** Says whether `call` on the file named `at` is to fail; undefined while all goes well. */
let failing: ((call: Call, at: string) => boolean) | undefined;

/** From now on `call` fails with EIO, `times` times, for the first files whose name matches. */
export function failNext(call: Call, name: RegExp, times = 1): { readonly left: number } {
  const state = { left: times };
  failing = (made, at) => {
    if (made !== call || state.left === 0 || !name.test(at)) return false;
    state.left -= 1;
    return true;
  };
  return state;
}

export function failNoMore(): void {
  failing = undefined;
}

type Done = (error?: Error | null) => void;

const failure = (call: Call): Error => Object.assign(new Error(`EIO: i/o error, ${call}`), { code: "EIO" });

for (const call of ["fdatasync", "fsync", "close"] as const) {
  const real = fs[call] as (fd: number, done?: Done) => void;
  const flawed = (fd: number, done?: Done): void => {
    const fails = failing?.(call, nameOf(fd)) === true;
    real(fd, (error) => done?.(fails ? failure(call) : error));
  };
  Object.assign(fs, { [call]: flawed });
}

// What is closed on a thread of its own fails here, on the way back. Imported when the calls above are flawed.
const { thread } = await import("../../services/volume/thread.js");
const close = thread.close;
Object.assign(thread, {
  async close(fd: number): Promise<void> {
    const fails = failing?.("close", nameOf(fd)) === true;
    await close(fd);
    if (fails) throw failure("close");
  },
});

function nameOf(fd: number): string {
  try {
    return fs.readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return "";
  }
}
