import { createReadStream, createWriteStream, type WriteStream } from "node:fs";
import { readdir } from "node:fs/promises";
import path from "node:path";
import { createInterface } from "node:readline";
import { finished } from "node:stream/promises";

const LINES_MAX = 40;

/**
 * Every answer to a change, a line each, in a file of the process that got it. It is on disk and not in memory, because
 * only a violation makes somebody read it.
 */
export class Book {
  private readonly stream: WriteStream;

  constructor(directory: string, name: string) {
    this.stream = createWriteStream(path.join(directory, `${name}.log`));
  }

  note(about: string, answer: string): void {
    this.stream.write(`${new Date().toISOString()} ${about} ${answer}\n`);
  }

  async close(): Promise<void> {
    this.stream.end();
    await finished(this.stream);
  }

  /** The newest answers about a path, out of all files. */
  static async linesAbout(directory: string, about: string): Promise<string[]> {
    const lines: string[] = [];
    for (const name of await readdir(directory)) {
      for await (const line of createInterface({ input: createReadStream(path.join(directory, name)) }))
        if (line.includes(` ${about} `)) lines.push(line);
    }
    return lines.sort().slice(-LINES_MAX);
  }
}
