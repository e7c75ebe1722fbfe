import type { Operation } from "../model/operation-request.js";

declare const planned: unique symbol;

/** Ticket of `validate`: the operation may be carried out as far as can be told without a lease. */
export interface Plan {
  readonly operation: Operation;
  readonly [planned]: true;
}
