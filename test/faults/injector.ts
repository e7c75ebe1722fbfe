/**
 * Loaded into a replica before anything of it (`node --import`): counts its calls to the file system on the volume, and
 * at the n-th one kills the process or answers an error. A socket, which is no file of the volume, says when and what.
 */
import fs from "node:fs";
import { createServer } from "node:net";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { type Call, type Fault, type State, suits } from "./fault.js";

const NAMES = [
  ...["open", "close", "read", "write", "writev", "fdatasync", "fsync", "ftruncate", "fchmod", "fchown", "rename"],
  ...["link", "unlink", "mkdir", "rmdir", "readdir", "utimes", "futimes", "copyFile", "lstat", "fstat"],
] as const;

/** What changes the volume, or makes a change durable. An open does when it creates; a close, of what was written. */
const CHANGING = new Set<string>([
  ...["write", "writev", "fdatasync", "fsync", "ftruncate", "fchmod", "fchown", "rename", "link", "unlink"],
  ...["mkdir", "rmdir", "utimes", "futimes", "copyFile"],
]);

const root = process.env.SAFEFILE_VOLUME_ROOT ?? "";
const socket = process.env.SAFEFILE_TEST_INJECTOR ?? "";
let fault: Fault | undefined;
let calls: Call[] = [];
let hits = 0;

type Done = (error: Error | null, value?: unknown) => void;

for (const name of NAMES) {
  const real = fs[name] as (...given: unknown[]) => void;
  const promised = promisify(real) as (...given: unknown[]) => Promise<unknown>;
  // read, write and writev are promised as an object of two values, which only Node's own function can say.
  const asPromise = async (...given: unknown[]): Promise<unknown> => {
    const decided = decide(name, given);
    if (!decided) return promised(...given);
    await decided.before();
    const [answer] = await Promise.allSettled([promised(...given)]);
    decided.after(answer);
    if (answer.status === "rejected") throw answer.reason;
    return answer.value;
  };
  const wrapped = (...given: unknown[]): void => {
    const done = given.pop() as Done;
    if (fault)
      asPromise(...given).then(
        (value) => done(null, value),
        (error: Error) => done(error),
      );
    else real(...given, done);
  };
  Object.assign(fs, { [name]: Object.assign(wrapped, { [promisify.custom]: asPromise }) });
}

/** What to do around one call; undefined for a call that is none of ours. */
function decide(
  name: string,
  given: readonly unknown[],
): { before(): Promise<void>; after(answer: PromiseSettledResult<unknown>): void } | undefined {
  if (!fault) return undefined;
  const at = nameOf(given);
  if (!at.startsWith(root)) return undefined;
  const call: Call = { name, at: at.slice(root.length), changes: isChange(name, given), writable: isWritable(given) };
  calls.push(call);
  const isDue = calls.length >= fault.at && (hits === 0 || (fault.do === "fail" && fault.lasting));
  if (!isDue || !suits(fault, call)) return { before: async () => undefined, after: () => undefined };
  hits += 1;
  const now = fault;
  return {
    before: async () => {
      if (now.do === "kill" && now.when === "before") die();
      // A descriptor is closed whatever close answers.
      if (now.do === "fail" && !now.carriedOut && name !== "close") throw failure(now.code, name);
    },
    after: (answer) => {
      if (now.do === "kill") die();
      if (now.do !== "fail" || answer.status === "rejected") return;
      if (name === "open") fs.closeSync(answer.value as number);
      throw failure(now.code, name);
    },
  };
}

function die(): never {
  process.kill(process.pid, "SIGKILL");
  for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
}

const failure = (code: string, name: string): Error =>
  Object.assign(new Error(`${code}: injected, ${name}`), { code, syscall: name });

/** The file that a call is about, by its own name; the target of those with two. */
function nameOf(given: readonly unknown[]): string {
  const [first, second] = given;
  if (typeof first === "number") return descriptorName(first);
  const at = String(typeof second === "string" ? second : first);
  const held = /^\/proc\/self\/fd\/(\d+)(.*)$/.exec(at);
  return held ? descriptorName(Number(held[1])) + held[2] : at;
}

function descriptorName(fd: number): string {
  try {
    return fs.readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return "";
  }
}

function isChange(name: string, given: readonly unknown[]): boolean {
  if (name === "open") return (Number(given[1]) & fs.constants.O_CREAT) !== 0;
  return CHANGING.has(name) || (name === "close" && isWritable(given));
}

function isWritable([fd]: readonly unknown[]): boolean {
  if (typeof fd !== "number") return false;
  try {
    const flags = /^flags:\s*([0-7]+)$/m.exec(fs.readFileSync(`/proc/self/fdinfo/${fd}`, "utf8"))?.[1] ?? "0";
    return (Number.parseInt(flags, 8) & (fs.constants.O_WRONLY | fs.constants.O_RDWR)) !== 0;
  } catch {
    return false;
  }
}

createServer((connection) => {
  createInterface({ input: connection }).on("line", (line) => {
    const asked = JSON.parse(line) as { arm?: Fault; disarm?: true };
    const state: State = { calls, hits };
    if (asked.arm) [fault, calls, hits] = [asked.arm, [], 0];
    if (asked.disarm) fault = undefined;
    connection.write(`${JSON.stringify(state)}\n`);
  });
  connection.on("error", () => undefined);
  connection.unref();
})
  .listen(socket)
  .unref();
