/** Bytes that may be under way to a reader before it has taken them: those of our client, for the bare calls, too. */
export const RECEIVE_BYTES = 4 * 1024 * 1024;
