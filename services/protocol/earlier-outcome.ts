import type { OperationRecord } from "../model/record.js";

/** Not a failure: the request was carried out before, and this is what it came to (I5). */
export class EarlierOutcome extends Error {
  constructor(readonly record: OperationRecord) {
    super(`the request was carried out as ${record.operation}`);
    this.name = "EarlierOutcome";
  }
}
