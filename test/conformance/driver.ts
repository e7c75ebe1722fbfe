import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { type Cleanup, endWithParent } from "../cluster/cleanup.js";

export interface Command {
  readonly verb: string;
  readonly client?: string;
  readonly args: unknown;
}

/** What came of a command. */
export type Answer =
  | { readonly value: Readonly<Record<string, unknown>>; readonly error?: undefined }
  | { readonly value?: undefined; readonly error: Readonly<Record<string, unknown>> };

const STDERR_CHARS_MAX = 64 * 1024;

/** A client of some language, told what to call: PROTOCOL.md. */
export class Driver {
  readonly #child: ChildProcess;
  readonly #open = new Map<number, (answer: Answer) => void>();
  readonly exited: Promise<number | null>;
  #next = 1;
  #said = "";

  constructor(command: readonly string[], cwd: string, cleanup: Cleanup) {
    const [program, ...args] = command;
    this.#child = spawn(program!, args, { cwd, stdio: ["pipe", "pipe", "pipe"] });
    endWithParent(this.#child);
    cleanup.defer(() => this.#child.kill("SIGKILL"));
    this.exited = new Promise((resolve) => {
      this.#child.once("error", (error) => {
        this.#said += `${error}`;
        resolve(null);
      });
      this.#child.once("close", resolve);
    });
    void this.exited.then((code) => this.#end(code));
    this.#child.stdin!.on("error", () => undefined);
    this.#child.stderr!.on("data", (chunk: Buffer) => {
      this.#said = (this.#said + chunk.toString()).slice(-STDERR_CHARS_MAX);
    });
    createInterface({ input: this.#child.stdout! }).on("line", (line) => this.#answered(line));
  }

  tell({ verb, client, args }: Command): Promise<Answer> {
    const id = this.#next++;
    return new Promise((resolve) => {
      this.#open.set(id, resolve);
      this.#child.stdin!.write(`${JSON.stringify({ id, client, verb, args })}\n`);
    });
  }

  /** Ends its input; returns its exit code. */
  end(): Promise<number | null> {
    this.#child.stdin!.end();
    return this.exited;
  }

  get said(): string {
    return this.#said;
  }

  #answered(line: string): void {
    let found: { id: number } & Answer;
    try {
      found = JSON.parse(line);
    } catch {
      this.#said += `\nnot JSON: ${line}`;
      return;
    }
    const resolve = this.#open.get(found.id);
    this.#open.delete(found.id);
    if (found.value === undefined && found.error === undefined) resolve?.({ error: { other: `no answer: ${line}` } });
    else resolve?.(found);
  }

  #end(code: number | null): void {
    for (const resolve of this.#open.values())
      resolve({ error: { other: `the driver ended with ${code}: ${this.#said.slice(-2000)}` } });
    this.#open.clear();
  }
}
