/** How an operation came by its lease, for those who watch stages from outside. */
export interface LeaseWait {
  readonly waitedMs: number;
  /** Whether somebody was in the way. */
  readonly hasWaited: boolean;
  /** Whether it had been kept in this replica, so that no lock server was asked. */
  readonly isKept: boolean;
  /** The call that was in the way, as far as it was seen; ids are empty when it had none. */
  readonly holder: { readonly traceId: string; readonly spanId: string } | undefined;
}
