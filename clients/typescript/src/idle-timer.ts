/** Ends a stream that makes no progress: only the time spent waiting for the other side counts. */
export class IdleTimer {
  #timer: NodeJS.Timeout | undefined;
  #expired = false;

  constructor(
    private readonly idleMsMax: number,
    private readonly expire: () => void,
  ) {}

  /** True when it was this timer that ended the stream. */
  get expired(): boolean {
    return this.#expired;
  }

  /** Waits for `step`, which is ended by `expire` when it takes too long. */
  async during<T>(step: Promise<T>, idleMsMax = this.idleMsMax): Promise<T> {
    this.#timer = setTimeout(() => {
      this.#expired = true;
      this.expire();
    }, idleMsMax);
    try {
      return await step;
    } finally {
      clearTimeout(this.#timer);
    }
  }
}
