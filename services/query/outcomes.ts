import type { Index } from "../index/index.js";
import type { Journals } from "../journal/journals.js";
import type { FilePath } from "../model/path.js";
import type { OperationRecord } from "../model/record.js";
import type { Files } from "./files.js";

/** What came of earlier requests, for callers who cannot, or need not, ask again with all that they asked with. */
export class Outcomes {
  constructor(
    private readonly index: Index,
    private readonly journals: Journals,
    private readonly files: Files,
  ) {}

  /**
   * The change that `requestId` made to `path`; undefined when there is none, or when Redis has not heard of it and
   * something was changed since. The pipeline looks again, where nothing is missed.
   */
  async find(requestId: string, path: FilePath): Promise<OperationRecord | undefined> {
    if (requestId === "") return undefined;
    const { earlier } = await this.index.lookUp(requestId, [path]);
    // What was committed just now is the head, also before Redis hears of it.
    const operation = earlier ?? (await this.files.peek(path))?.operation;
    const record = operation && (await this.journals.find(operation));
    return record?.requestId === requestId ? record : undefined;
  }
}
