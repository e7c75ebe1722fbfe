import { createReadStream, createWriteStream, type WriteStream } from "node:fs";
import { readdir } from "node:fs/promises";
import path from "node:path";
import { createInterface } from "node:readline";
import { finished } from "node:stream/promises";

export interface Noted {
  readonly time: string;
  readonly answer: string;
}

/**
 * Every answer to a change, a line each, in a file of the process that got it. It is on disk and not in memory, because
 * only a violation makes somebody read it.
 */
export class Book {
  private readonly stream: WriteStream;

  constructor(directory: string, name: string) {
    this.stream = createWriteStream(path.join(directory, `${name}.log`));
  }

  note(path: string, answer: string): void {
    this.stream.write(`${new Date().toISOString()} ${path} ${answer}\n`);
  }

  async close(): Promise<void> {
    this.stream.end();
    await finished(this.stream);
  }

  /** All answers about a path, out of all files, oldest first. */
  static async about(directory: string, about: string): Promise<Noted[]> {
    const noted: Noted[] = [];
    for (const name of await readdir(directory)) {
      for await (const line of createInterface({ input: createReadStream(path.join(directory, name)) })) {
        const [time = "", where, ...answer] = line.split(" ");
        if (where === about) noted.push({ time, answer: answer.join(" ") });
      }
    }
    return noted.sort((one, other) => (one.time < other.time ? -1 : 1));
  }
}
