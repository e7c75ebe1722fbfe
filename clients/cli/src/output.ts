import { once } from "node:events";
import type { Writable } from "node:stream";

/** Where a command writes; tests give their own. */
export interface Streams {
  readonly stdout: Writable & { readonly isTTY?: boolean };
  readonly stderr: Writable & { readonly isTTY?: boolean };
}

/** What a command says: results on stdout, for people or, with --json, for programs; everything else on stderr. */
export class Output {
  constructor(
    readonly streams: Streams,
    readonly json: boolean,
  ) {}

  /** The one result of a command: a document, or its lines. */
  async result(document: object, ...lines: string[]): Promise<void> {
    if (this.json) await this.#write(`${JSON.stringify(document, null, 2)}\n`);
    else for (const line of lines) await this.#write(`${line}\n`);
  }

  /** One of many: an object a line, or a line. */
  async item(document: object, line?: string): Promise<void> {
    if (this.json) await this.#write(`${JSON.stringify(document)}\n`);
    else if (line !== undefined) await this.#write(`${line}\n`);
  }

  /** Content, as it is. Waits for a slow reader. */
  async bytes(data: Uint8Array): Promise<void> {
    await this.#write(data);
  }

  /** For people, beside the result. */
  note(line: string): void {
    if (!this.json) this.streams.stderr.write(`${line}\n`);
  }

  async #write(data: string | Uint8Array): Promise<void> {
    if (!this.streams.stdout.write(data)) await once(this.streams.stdout, "drain");
  }
}
