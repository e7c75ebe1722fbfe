import cliProgress from "cli-progress";
import type { Output } from "./output.js";
import { sizeText } from "./shown.js";

/** Undefined: a bar where a person watches. */
export type ProgressWish = boolean | undefined;

export interface Counts {
  readonly filesTotal: number;
  readonly filesDone: number;
  readonly bytesTotal: number;
  readonly bytesDone: number;
}

const BAR = "{label} [{bar}] {percentage}% | {files} files | {bytes} | {duration_formatted}";
/** Bars and lines that come faster help nobody. */
const UPDATES_PER_SECOND_MAX = 4;

/** How far long work is: a bar on stderr, lines of JSON on stdout, or nothing. */
export class Progress {
  readonly #bar: cliProgress.SingleBar | undefined;
  #shownMs = Number.NEGATIVE_INFINITY;
  #counts: Counts = { filesTotal: 0, filesDone: 0, bytesTotal: 0, bytesDone: 0 };

  constructor(
    private readonly output: Output,
    private readonly label: string,
    private readonly wish: ProgressWish,
  ) {
    const { stderr } = output.streams;
    if (output.json || !(wish ?? stderr.isTTY === true)) return;
    this.#bar = new cliProgress.SingleBar({
      format: BAR,
      stream: stderr,
      fps: UPDATES_PER_SECOND_MAX,
      barsize: 24,
      hideCursor: true,
      // Asked for, so also into a file or a pipe: a line a second there.
      noTTYOutput: wish === true,
      notTTYSchedule: 1_000,
    });
    this.#bar.start(1, 0, this.#payload());
  }

  async update(counts: Counts): Promise<void> {
    this.#counts = counts;
    if (this.#bar !== undefined) this.#draw();
    else if (this.output.json && this.wish === true) await this.#line();
  }

  /** Leaves the bar as it stands. */
  stop(): void {
    if (this.#bar === undefined) return;
    this.#draw();
    this.#bar.stop();
  }

  #draw(): void {
    const { filesTotal, filesDone, bytesTotal, bytesDone } = this.#counts;
    // Bytes say more than files, but a tree of empty files has none.
    const [done, total] = bytesTotal > 0 ? [bytesDone, bytesTotal] : [filesDone, filesTotal];
    this.#bar?.setTotal(Math.max(1, total));
    this.#bar?.update(total === 0 ? 0 : Math.min(done, total), this.#payload());
  }

  #payload() {
    const { filesTotal, filesDone, bytesTotal, bytesDone } = this.#counts;
    return {
      label: this.label,
      files: `${filesDone}/${filesTotal}`,
      bytes: `${sizeText(bytesDone)} of ${sizeText(bytesTotal)}`,
    };
  }

  async #line(): Promise<void> {
    const nowMs = performance.now();
    if (nowMs - this.#shownMs < 1_000 / UPDATES_PER_SECOND_MAX) return;
    this.#shownMs = nowMs;
    await this.output.item({ event: "progress", ...this.#counts });
  }
}
