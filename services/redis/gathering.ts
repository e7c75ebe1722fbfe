import type { Redis } from "ioredis";

/** Commands of one turn of the event loop go out in one piece: each piece is a system call here and one there. */
export class Gathering {
  private isUnderWay = false;

  constructor(private readonly client: Redis) {}

  /** To be called before a command is sent. */
  begin(): void {
    const { stream } = this.client;
    if (this.isUnderWay || !stream?.cork) return;
    this.isUnderWay = true;
    stream.cork();
    process.nextTick(() => {
      this.isUnderWay = false;
      stream.uncork();
    });
  }
}
