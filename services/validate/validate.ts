import { ArgumentInvalidError, PathNotFoundError, PathNotPlainError } from "../errors/index.js";
import type { Intent, Operation } from "../model/operation-request.js";
import { pathHash } from "../model/path.js";
import type { Batons } from "../protocol/baton.js";
import { codeOf, NotPlainError, type Stat, type Volume } from "../volume/volume.js";
import type { Plan } from "./plan.js";
import { needsFile } from "./preconditions.js";

const PARALLEL = 16;

/** First stage: refuses what can be refused without a lease, cheapest first. Changes nothing. */
export class Validate {
  constructor(
    private readonly volume: Volume,
    private readonly batons: Batons,
  ) {}

  async run(operation: Operation): Promise<Plan> {
    operation.signal.throwIfAborted();
    checkDistinct(operation);
    const queue = operation.intents.values();
    const work = async (): Promise<void> => {
      for (const intent of queue) await this.checkLive(intent, operation.validateOnly);
    };
    await Promise.all(Array.from({ length: Math.min(PARALLEL, operation.intents.length) }, work));
    return { operation } as Plan;
  }

  /**
   * A symlink, directory or device on the way is never followed, replaced or opened (I12). Of a path that was managed
   * before, what is in the way is only said here when it goes no further, and so is that there is nothing to delete: a
   * repeated request, whose first call made the change, is answered under the lease with that one's outcome (I5), and
   * any other is refused there.
   */
  private async checkLive(intent: Intent, isLastStage: boolean): Promise<void> {
    const { path } = intent;
    // Managed, then: what is there is looked at under the lease.
    if (!isLastStage && this.batons.guess(pathHash(path))) return;
    const needed = needsFile(intent) && isLastStage;
    try {
      const stats = await this.volume.peek(path);
      if (!stats && needed) throw new PathNotFoundError({ path });
      if (stats) checkType(intent, stats);
    } catch (error) {
      const obstacle = error instanceof NotPlainError ? new PathNotPlainError({ path, what: error.what }) : error;
      if (obstacle instanceof PathNotPlainError) {
        if (isLastStage || !(await this.batons.look(pathHash(path)))) throw obstacle;
        return;
      }
      if (codeOf(error) !== "ENOENT") throw error;
      if (needed) throw new PathNotFoundError({ path });
    }
  }
}

/** Directories are for changes of directories, everything else for plain files. Throws PATH_INVALID. */
export function checkType({ path, kind }: Pick<Intent, "path" | "kind">, { type }: Stat): void {
  const isFree = kind === "MAKE_DIRECTORY" && (type === "directory" || type === "file");
  const wanted = kind === "REMOVE_DIRECTORY" ? "directory" : "file";
  if (type !== wanted && !isFree) throw new PathNotPlainError({ path, what: type });
}

/** A path changes once in an operation, and nothing is a file and a directory at once. */
function checkDistinct({ intents, checks }: Operation): void {
  const files = new Set<string>();
  const seen = new Set<string>();
  for (const { path } of [...intents, ...checks]) {
    if (seen.has(path)) throw new ArgumentInvalidError({ field: "path", problem: `${path} is named twice` });
    seen.add(path);
  }
  for (const { path, kind } of intents) if (!kind.endsWith("_DIRECTORY")) files.add(path);
  for (const { path } of intents)
    for (let end = path.indexOf("/"); end !== -1; end = path.indexOf("/", end + 1))
      if (files.has(path.slice(0, end)))
        throw new ArgumentInvalidError({ field: "path", problem: `${path} lies below another path of the operation` });
}
