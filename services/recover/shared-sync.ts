import type { Volume } from "../volume/volume.js";

/**
 * One flush of the whole volume for all who wait: whoever finds nobody flushing begins at once, and everybody who comes
 * meanwhile shares the next. For many small files, a flush of each takes many times as long.
 */
export class SharedSync {
  private underWay: Promise<void> = Promise.resolve();
  private next: Promise<void> | undefined;

  constructor(private readonly volume: Volume) {}

  /** Resolves when what was written before this call is durable. Throws DurabilityError. */
  sync(): Promise<void> {
    this.next ??= this.underWay.then(() => {
      this.next = undefined;
      this.underWay = this.volume.syncAll();
      return this.underWay;
    });
    return this.next;
  }
}
