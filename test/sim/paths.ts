/** The paths that all fight for, some below directories that come and go. */
export const PATHS = ["a", "d/b", "d/e/c"] as const;
