import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile } from "node:fs/promises";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { SafefileError } from "@safefile/client";
import { Cleanup, endWithParent } from "../cluster/cleanup.js";
import type { Code } from "./fault.js";
import { isHeld, look, prepare, show } from "./held.js";
import { chosen, type Operation } from "./operations.js";
import { Site, type Victim } from "./site.js";

/** A kernel's call, what Node calls it, and the error with which all of them are answered during one change. */
const ERRORS: readonly { readonly syscall: string; readonly call: string; readonly code: Code }[] = [
  { syscall: "fdatasync", call: "fdatasync", code: "EIO" },
  { syscall: "pwritev", call: "writev", code: "EIO" },
  { syscall: "pwrite64", call: "write", code: "ENOSPC" },
  { syscall: "openat", call: "open", code: "EMFILE" },
  { syscall: "rename", call: "rename", code: "EROFS" },
];
const ATTACH_MS_MAX = 20_000;
const END_MS_MAX = 2_000;

function whyNot(): string | false {
  try {
    execFileSync("strace", ["-o", "/dev/null", "true"], { stdio: "ignore" });
    return false;
  } catch {
    return "strace is not installed, or may not trace here: nothing holds the injector against the kernel";
  }
}

/** Has the kernel answer every `syscall` of all threads of a process with `code`. Returns what ends that. */
async function inject(cleanup: Cleanup, pid: number, syscall: string, code: Code): Promise<() => Promise<void>> {
  const what = ["-e", `trace=${syscall}`, "-e", `inject=${syscall}:error=${code}`];
  const strace = spawn("strace", ["-f", "-qq", "-o", "/dev/null", ...what, "-p", String(pid)], { stdio: "ignore" });
  endWithParent(strace);
  const ended = once(strace, "exit");
  cleanup.defer(() => strace.kill("SIGKILL"));
  const untilMs = performance.now() + ATTACH_MS_MAX;
  for (const thread of await readdir(`/proc/${pid}/task`))
    while (!/^TracerPid:\t[1-9]/m.test(await readFile(`/proc/${pid}/task/${thread}/status`, "utf8"))) {
      assert(performance.now() < untilMs, "strace does not attach");
      await sleep(10);
    }
  return async () => {
    strace.kill("SIGINT");
    await ended;
  };
}

/** What became of a change, and of the replica that made it. */
async function made(
  victim: Victim,
  operation: Operation,
  directory: string,
  end: () => Promise<void>,
): Promise<string> {
  const told = await operation.act(victim.client, directory, directory).then(
    () => "COMMITTED",
    (error: unknown) => {
      assert(error instanceof SafefileError, String(error));
      // A replica that leaves may do so before its answer is out.
      return error.outcome ?? "nothing";
    },
  );
  await end();
  const late = sleep(END_MS_MAX, undefined, { ref: false });
  const exit = await Promise.race([victim.replica.exited, late]);
  return `${told}, the replica ${exit ? `left with ${exit.code}` : "serves on"}`;
}

for (const { syscall, call, code } of ERRORS) {
  test(`I6/I10/I11: real ${code} of ${syscall} ends as the injected one of ${call}`, {
    skip: whyNot(),
    timeout: 120_000,
  }, async (t) => {
    const cleanup = Cleanup.of(t);
    const site = await Site.start(cleanup);
    const [operation] = chosen();
    assert(operation);
    const names = Object.keys(operation.after);
    const results: string[] = [];
    for (const way of ["injected", "real"]) {
      const victim = await site.victim();
      cleanup.defer(() => victim.end());
      await prepare(site, way, operation);
      // All threads of its pool are there before strace looks for them.
      for (let n = 0; n < 20; n++) await victim.client.stat(`${way}/f`);
      let end: () => Promise<void>;
      if (way === "real") end = await inject(cleanup, victim.replica.pid, syscall, code);
      else {
        await victim.arm({ do: "fail", at: 1, code, only: call, lasting: true, carriedOut: false });
        end = async () => void (await victim.disarm().catch(() => undefined));
      }
      results.push(await made(victim, operation, way, end));
      const found = await look(site, way, names);
      assert(isHeld(found, operation.before) || isHeld(found, operation.after), `I2: ${show(found)}`);
      await site.endLeases();
      await operation.act(site.survivor, way, way);
      assert(isHeld(await look(site, way, names), operation.after), "I5: asked again");
    }
    assert.equal(results[1], results[0], "the injector does not tell the truth");
    t.diagnostic(`${code} of ${syscall}: ${results[1]}`);
  });
}
