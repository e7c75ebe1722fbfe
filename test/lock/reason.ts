/** The stable name of what went wrong. */
export const reasonOf = (error: unknown): string => String((error as { reason?: unknown } | undefined)?.reason);
