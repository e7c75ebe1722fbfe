import { mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type CallStep, type Case, GOLDEN, type Step } from "./case.js";
import type { Answer, Driver } from "./driver.js";
import type { Fault } from "./fault.js";
import { FaultyProxy, type Seen } from "./faulty-proxy.js";
import { differences, filled } from "./match.js";
import { normal } from "./normal.js";

/** Two replicas of one volume. */
export interface Service {
  readonly volume: string;
  readonly a: string;
  readonly b: string;
}

/** A port of this machine where nobody listens. */
const NOBODY = "127.0.0.1:1";
const STEP_MS_MAX = 30_000;
const POLL_MS = 20;

export class Failed extends Error {}

/**
 * Runs a case with a driver. Throws `Failed` when something is not as the case says. `directory` is where its paths lie;
 * answers have them without it.
 */
export async function runCase(
  one: Case,
  driver: Driver,
  service: Service,
  directory: string,
  plant?: Case["plants"][number],
): Promise<void> {
  const run = new Run(one, driver, service, directory, plant);
  try {
    await run.all();
  } finally {
    await run.end();
  }
}

class Run {
  readonly #variables = new Map<string, unknown>();
  readonly #later = new Map<string, { readonly verb: string; readonly answer: Promise<Answer> }>();
  readonly #proxies: { readonly a: FaultyProxy; readonly b: FaultyProxy };
  readonly #clients = new Set<string>();
  readonly #golden: string;

  constructor(
    private readonly one: Case,
    private readonly driver: Driver,
    private readonly service: Service,
    private readonly directory: string,
    plant: Case["plants"][number] | undefined,
  ) {
    this.#proxies = { a: new FaultyProxy(service.a), b: new FaultyProxy(service.b) };
    this.#golden = plant !== undefined && "golden" in plant ? plant.golden : "";
    if (plant !== undefined && "on" in plant) for (const proxy of this.#both) proxy.misbehave(plant);
  }

  get #id(): string {
    return this.directory.replaceAll("/", ":");
  }

  get #both(): readonly FaultyProxy[] {
    return [this.#proxies.a, this.#proxies.b];
  }

  async all(): Promise<void> {
    await Promise.all(this.#both.map((proxy) => proxy.start()));
    for (const [place, step] of this.one.steps.entries()) {
      try {
        await this.#step(step);
      } catch (error) {
        if (!(error instanceof Failed)) throw error;
        throw new Failed(
          `step ${place + 1} (${Object.entries(step)[0]!
            .map((part) => (typeof part === "string" ? part : ""))
            .join(" ")
            .trim()}): ${error.message}`,
        );
      }
    }
  }

  async end(): Promise<void> {
    await Promise.all(this.#both.map((proxy) => proxy.stop()));
    const closing = [...this.#clients].map((name) =>
      this.driver.tell({ verb: "close", client: this.#named(name), args: {} }),
    );
    await this.#withinTime(Promise.all(closing), "closing");
    // Whatever still ran ends with its client.
    await this.#withinTime(Promise.all([...this.#later.values()].map(({ answer }) => answer)), "what was begun");
  }

  async #step(step: Step): Promise<void> {
    if ("do" in step) return await this.#call(step);
    if ("join" in step) {
      const begun = this.#later.get(step.join);
      if (begun === undefined) throw new Error(`nothing was begun as ${step.join}`);
      this.#later.delete(step.join);
      const answer = await this.#withinTime(begun.answer, begun.verb);
      return this.#judge(begun.verb, answer, { ...step, as: step.join });
    }
    if ("fault" in step) return this.#proxies[step.at].misbehave(step.fault as Fault);
    if ("behave" in step) return this.#proxies[step.behave].behave();
    if ("break" in step) return this.#proxies[step.break].breakConnections();
    if ("leave" in step) return await this.#proxies[step.leave].leave();
    if ("wire" in step) return this.#wire(step.wire);
    if ("until" in step) return await this.#until(step.until);
    const name = path.join(this.service.volume, this.directory, ("outside" in step ? step.outside : step.file).path);
    if ("outside" in step) {
      await mkdir(path.dirname(name), { recursive: true });
      return await writeFile(name, step.outside.text);
    }
    const found = await readFile(name, "utf8").catch(() => null);
    if (found !== step.file.text) throw new Failed(`${step.file.path} holds ${JSON.stringify(found)}`);
  }

  async #call(step: CallStep): Promise<void> {
    if (step.do !== "open" && step.do !== "golden") await this.#ensure(step.client);
    const args = this.#placed(filled(step.with, this.#variables));
    const ask = () => this.driver.tell({ verb: step.do, client: this.#named(step.client), args });
    if (step.later) {
      this.#later.set(step.as!, { verb: step.do, answer: ask() });
      return;
    }
    const endMs = performance.now() + STEP_MS_MAX;
    for (;;) {
      const answer = await this.#withinTime(ask(), step.do);
      try {
        this.#judge(step.do, answer, step);
        return;
      } catch (error) {
        if (!step.eventually || performance.now() > endMs) throw error;
        await sleep(POLL_MS);
      }
    }
  }

  async #ensure(client: string): Promise<void> {
    if (this.#clients.has(client)) return;
    this.#clients.add(client);
    const address = { a: this.#proxies.a.address, b: this.#proxies.b.address, nobody: NOBODY };
    // A second party is one at the other replica.
    const known = client === "other" ? (["b"] as const) : this.one.addresses;
    const args = { addresses: known.map((name) => address[name]), ...this.one.settings };
    const { error } = await this.#withinTime(
      this.driver.tell({ verb: "open", client: this.#named(client), args }),
      "open",
    );
    if (error !== undefined) throw new Failed(`open: ${JSON.stringify(error)}`);
  }

  /** Several cases run at once in one driver. */
  #named(client: string): string {
    return `${this.directory}:${client}`;
  }

  #judge(
    verb: string,
    { value, error }: Answer,
    { as, expect, error: expectedError }: Pick<CallStep, "as" | "expect" | "error">,
  ): void {
    if (expectedError !== undefined) {
      if (error === undefined) throw new Failed(`did not fail: ${JSON.stringify(value)}`);
      this.#compare(expectedError, error, as);
      return;
    }
    if (error !== undefined) throw new Failed(`failed: ${JSON.stringify(error)}`);
    this.#compare(expect, messagesOf(verb, value), as);
  }

  #compare(expect: unknown, actual: Readonly<Record<string, unknown>>, as: string | undefined): void {
    const found = this.#unplaced(actual);
    if (as !== undefined) this.#variables.set(as, found);
    const differing = differences(filled(expect, this.#variables), found);
    if (differing.length > 0) throw new Failed(differing.join("; "));
  }

  #wire(expected: Extract<Step, { wire: unknown }>["wire"]): void {
    const seen = this.#seen(expected.on);
    const sum = (field: "bytes" | "messages") => seen.reduce((total, one) => total + one[field], 0);
    const ids = new Set(seen.map(({ requestId }) => requestId));
    const pauses = seen.slice(1).map((one, place) => one.startMs - (seen[place]!.endMs ?? seen[place]!.startMs));
    const check = (is: boolean, what: string) => {
      if (!is) throw new Failed(`${expected.on}: ${what}`);
    };
    const { calls, callsAtLeast = 0, requestIds, pauseMsAtLeast = 0 } = expected;
    const { goesOnFrom = 0, bytesAtMost, messagesAtLeast = 0, traceId } = expected;
    check(calls === undefined || seen.length === calls, `${seen.length} calls, not ${calls}`);
    check(seen.length >= callsAtLeast, `${seen.length} calls, fewer than ${callsAtLeast}`);
    check(requestIds === undefined || (ids.size === requestIds && !ids.has(undefined)), `${ids.size} request ids`);
    check(
      pauses.every((ms) => ms >= pauseMsAtLeast),
      `pauses of ${pauses.map(Math.round)} ms`,
    );
    const from = seen.at(-1)?.firstOffset ?? 0;
    check(from >= goesOnFrom, `the last one goes on from ${from}`);
    check(bytesAtMost === undefined || sum("bytes") <= bytesAtMost, `${sum("bytes")} bytes`);
    check(sum("messages") >= messagesAtLeast, `${sum("messages")} messages`);
    const traces = seen.map(({ traceparent }) => traceparent?.split("-")[1] ?? "");
    check(traceId === undefined || traces.every((trace) => trace === traceId), `traces ${traces}`);
  }

  async #until({ on, calls }: { on: string; calls: number }): Promise<void> {
    const endMs = performance.now() + STEP_MS_MAX;
    while (this.#seen(on).length < calls) {
      if (performance.now() > endMs) throw new Failed(`${this.#seen(on).length} calls of ${on}`);
      await sleep(POLL_MS);
    }
  }

  #seen(method: string): Seen[] {
    const all = this.#both.flatMap(({ seen }) => seen).filter((one) => one.method === method);
    return all.sort((one, other) => one.startMs - other.startMs);
  }

  async #withinTime<T>(work: Promise<T>, what: string): Promise<T> {
    const timer = new AbortController();
    const late = sleep(STEP_MS_MAX, undefined, { signal: timer.signal }).then(
      () => {
        throw new Failed(`${what} took longer than ${STEP_MS_MAX} ms`);
      },
      () => work,
    );
    try {
      return await Promise.race([work, late]);
    } finally {
      timer.abort();
    }
  }

  /** Paths in arguments lie in the directory of this run. */
  #placed(value: unknown, name = ""): unknown {
    if (typeof value === "string") {
      if (name === "file") return path.join(GOLDEN, this.#golden || value);
      // A driver serves several cases at once, and an id stands for one intention on the whole volume.
      if (["requestId", "uploadId", "handle"].includes(name)) return `${this.#id}:${value}`;
      if (!["path", "target", "targetPath"].includes(name) || /^\$|^\//.test(value)) return value;
      return value === "." ? this.directory : `${this.directory}/${value}`;
    }
    if (Array.isArray(value)) return value.map((one) => this.#placed(one, name));
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, this.#placed(one, key)]));
  }

  #unplaced<T>(value: T): T {
    if (typeof value === "string")
      return value.replaceAll(`${this.directory}/`, "").replaceAll(`${this.#id}:`, "") as T;
    if (Array.isArray(value)) return value.map((one) => this.#unplaced(one)) as T;
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, this.#unplaced(one)])) as T;
  }
}

function messagesOf(verb: string, value: Readonly<Record<string, unknown>>): Record<string, unknown> {
  try {
    return normal(verb, value);
  } catch (error) {
    throw new Failed(`is not the message that it should be: ${error}: ${JSON.stringify(value)}`);
  }
}
