/** Half a millisecond for work in memory to half a minute for a wait in the queue: a disk's fsync is in the middle. */
export const BOUNDARIES_SECONDS: readonly number[] = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
];
