/**
 * Loaded into every thread of a replica before anything of it (`node --import`): counts its calls to the file system on
 * the volume, and at the n-th one kills the process or answers an error. A socket, which is no file of the volume, says
 * when and what; the threads know of it by memory that they share.
 */
import fs from "node:fs";
import { createServer } from "node:net";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { isMainThread } from "node:worker_threads";
import { type Call, type Fault, type State, suits } from "./fault.js";
import { Shared } from "./shared.js";

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
const shared = Shared.ofProcess();

type Done = (error: Error | null, value?: unknown) => void;
type Answer = { readonly value: unknown } | { readonly error: unknown };

for (const name of NAMES) {
  const real = fs[name] as (...given: unknown[]) => void;
  const promised = promisify(real) as (...given: unknown[]) => Promise<unknown>;
  // read, write and writev are promised as an object of two values, which only Node's own function can say.
  const asPromise = async (...given: unknown[]): Promise<unknown> => {
    const around = decide(name, given);
    if (!around) return promised(...given);
    around.before();
    return around.after(
      await promised(...given).then(
        (value): Answer => ({ value }),
        (error: unknown): Answer => ({ error }),
      ),
    );
  };
  const wrapped = (...given: unknown[]): void => {
    const done = given.pop() as Done;
    if (shared.fault)
      asPromise(...given).then(
        (value) => done(null, value),
        (error: Error) => done(error),
      );
    else real(...given, done);
  };
  const realNow = fs[`${name}Sync`] as (...given: unknown[]) => unknown;
  const now = (...given: unknown[]): unknown => {
    // What this file asks itself is no call of the replica's.
    const around = isMainThread ? undefined : decide(name, given);
    if (!around) return realNow(...given);
    around.before();
    return around.after(answerOf(() => realNow(...given)));
  };
  Object.assign(fs, { [name]: Object.assign(wrapped, { [promisify.custom]: asPromise }), [`${name}Sync`]: now });
}

function answerOf(call: () => unknown): Answer {
  try {
    return { value: call() };
  } catch (error) {
    return { error };
  }
}

/** What to do around one call, which returns or throws what its caller is to see; undefined for one that is none of ours. */
function decide(
  name: string,
  given: readonly unknown[],
): { before(): void; after(answer: Answer): unknown } | undefined {
  const { fault } = shared;
  if (!fault) return undefined;
  const at = nameOf(given);
  if (!at.startsWith(root)) return undefined;
  const call: Call = { name, at: at.slice(root.length), changes: isChange(name, given), writable: isWritable(given) };
  const number = shared.count(call);
  const isDue = number >= fault.at && suits(fault, call) && shared.hit(fault.do === "fail" && fault.lasting);
  return {
    before() {
      if (!isDue) return;
      if (fault.do === "kill" && fault.when === "before") die();
      // A descriptor is closed whatever close answers.
      if (fault.do === "fail" && !fault.carriedOut && name !== "close") throw failure(fault.code, name);
    },
    after(answer) {
      if (isDue && fault.do === "kill") die();
      if ("error" in answer) throw answer.error;
      if (!isDue || fault.do !== "fail") return answer.value;
      if (name === "open") fs.closeSync(answer.value as number);
      throw failure(fault.code, name);
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

const server = createServer((connection) => {
  createInterface({ input: connection }).on("line", (line) => {
    const asked = JSON.parse(line) as { arm?: Fault; disarm?: true };
    const state: State = { calls: shared.calls, hits: shared.hits };
    if (asked.arm) shared.arm(asked.arm);
    if (asked.disarm) shared.disarm();
    connection.write(`${JSON.stringify(state)}\n`);
  });
  connection.on("error", () => undefined);
  connection.unref();
});
if (isMainThread) server.listen(socket).unref();
