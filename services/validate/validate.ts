import { NotImplementedError, PathNotFoundError, PathNotPlainError } from "../errors/index.js";
import type { Intent, Operation } from "../model/operation-request.js";
import { codeOf, NotPlainError, type Volume } from "../volume/volume.js";
import type { Plan } from "./plan.js";

/** First stage: refuses what can be refused without a lease, cheapest first. Changes nothing. */
export class Validate {
  constructor(private readonly volume: Volume) {}

  async run(operation: Operation): Promise<Plan> {
    operation.signal.throwIfAborted();
    await Promise.all(operation.intents.map((intent) => this.checkLive(intent, operation.validateOnly)));
    return { operation } as Plan;
  }

  /**
   * A symlink, directory or device on the way is never followed, replaced or opened (I12). Nothing to delete is only
   * said here when it goes no further: a repeated delete, whose first call deleted the file, is answered under the
   * lease with that one's outcome (I5), and any other is refused there.
   */
  private async checkLive({ path, kind }: Intent, isLastStage: boolean): Promise<void> {
    const needed = kind === "DELETE" && isLastStage;
    try {
      await using live = await this.volume.locate(path);
      const stats = await this.volume.stat(live);
      if (!stats && needed) throw new PathNotFoundError({ path });
      if (stats?.type === "directory" && kind === "DELETE")
        throw new NotImplementedError({ what: "DeleteFile of a directory" });
      if (stats && stats.type !== "file") throw new PathNotPlainError({ path, what: stats.type });
    } catch (error) {
      if (error instanceof NotPlainError) throw new PathNotPlainError({ path, what: error.what });
      if (codeOf(error) !== "ENOENT") throw error;
      if (needed) throw new PathNotFoundError({ path });
    }
  }
}
