/** What the demo tells, and whether all it claims has held. */
export class Story {
  #chapters = 0;
  #failed = 0;
  #held = 0;
  readonly #figures: string[] = [];
  readonly #startMs = performance.now();

  constructor(private readonly output: NodeJS.WriteStream) {}

  chapter(title: string): void {
    this.#chapters += 1;
    this.#write(`\n${this.#bold(`${this.#chapters}. ${title}`)}\n`);
  }

  say(text: string): void {
    this.#write(`   ${text.replaceAll("\n", "\n   ")}\n`);
  }

  /** Says whether something holds. One that does not fails the demo. */
  check(holds: boolean, claim: string): void {
    if (holds) this.#held += 1;
    else this.#failed += 1;
    this.#write(`   ${holds ? "✓" : "✗ NOT TRUE:"} ${claim}\n`);
  }

  /** Keeps a line for the end. */
  figure(text: string): void {
    this.#figures.push(text);
  }

  /** Sums up. Returns the exit code. */
  end(): number {
    this.#write(`\n${this.#bold("What was shown")}\n`);
    for (const figure of this.#figures) this.say(`• ${figure}`);
    const seconds = Math.round((performance.now() - this.#startMs) / 1000);
    this.#write("\n");
    if (this.#failed > 0) this.say(`${this.#failed} of ${this.#failed + this.#held} checks did not hold.`);
    else this.say(`All ${this.#held} checks held, in ${seconds} s.`);
    this.say("Next: `make run` starts a replica of your own and prints three commands to try.");
    return this.#failed > 0 ? 1 : 0;
  }

  #bold(text: string): string {
    return this.output.isTTY && !process.env.NO_COLOR ? `\u001b[1m${text}\u001b[0m` : text;
  }

  #write(text: string): void {
    this.output.write(text);
  }
}

const NUMBER = new Intl.NumberFormat("en");

export const count = (value: number): string => NUMBER.format(Math.round(value));

/** "1 file", "2,345 files". */
export const many = (value: number, noun: string): string => `${count(value)} ${noun}${value === 1 ? "" : "s"}`;

export function bytes(value: number): string {
  if (value >= 1e9) return `${(value / 1e9).toFixed(2)} GB`;
  if (value >= 1e6) return `${(value / 1e6).toFixed(1)} MB`;
  return value >= 1e3 ? `${(value / 1e3).toFixed(1)} kB` : many(value, "byte");
}

export const duration = (ms: number): string => (ms >= 1000 ? `${(ms / 1000).toFixed(1)} s` : `${Math.round(ms)} ms`);
