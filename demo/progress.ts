import cliProgress from "cli-progress";
import { bytes, count } from "./story.js";

/** Without a terminal, a line for each tenth: a log is read later, and not watched. */
const LINES = 10;
const UPDATES_PER_SECOND = 8;

/** How far long work is: a bar in a terminal, lines elsewhere. */
export class Progress {
  readonly #bar: cliProgress.SingleBar | undefined;
  readonly #startMs = performance.now();
  #filesDone = 0;
  #bytesDone = 0;
  #linesShown = 0;

  constructor(
    private readonly output: NodeJS.WriteStream,
    private readonly filesTotal: number,
  ) {
    if (!output.isTTY) return;
    this.#bar = new cliProgress.SingleBar({
      format: "   [{bar}] {percentage}% {facts}",
      stream: output,
      fps: UPDATES_PER_SECOND,
      barsize: 32,
      hideCursor: true,
      gracefulExit: false,
    });
    this.#bar.start(Math.max(1, filesTotal), 0, { facts: "" });
    // Interrupted, the cursor is to be seen again.
    process.once("exit", this.#stop);
  }

  /** One more file is done. */
  add(fileBytes: number): void {
    this.to(this.#filesDone + 1, this.#bytesDone + fileBytes);
  }

  to(filesDone: number, bytesDone: number): void {
    this.#filesDone = filesDone;
    this.#bytesDone = bytesDone;
    if (this.#bar) this.#bar.update(filesDone, { facts: this.#facts() });
    else this.#lines();
  }

  /** Leaves the bar as it stands. Returns the milliseconds it took. */
  end(): number {
    const tookMs = performance.now() - this.#startMs;
    this.#bar?.update(this.#filesDone, { facts: this.#facts() });
    this.#stop();
    process.off("exit", this.#stop);
    return tookMs;
  }

  readonly #stop = (): void => this.#bar?.stop();

  #lines(): void {
    const line = Math.floor((this.#filesDone / Math.max(1, this.filesTotal)) * LINES);
    if (line <= this.#linesShown) return;
    this.#linesShown = line;
    this.output.write(`   ${String((line * 100) / LINES).padStart(3)} %  ${this.#facts()}\n`);
  }

  #facts(): string {
    const seconds = Math.max(1e-3, (performance.now() - this.#startMs) / 1000);
    const files = `${count(this.#filesDone)} of ${count(this.filesTotal)} files`;
    return `${files}, ${bytes(this.#bytesDone)}, ${count(this.#filesDone / seconds)} files/s`;
  }
}
