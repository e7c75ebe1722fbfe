/** Runs `work` for each item, at most `parallelMax` at once. Ends early when `work` throws: what is running is waited for. */
export async function eachParallel<T>(
  items: Iterable<T>,
  parallelMax: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const iterator = items[Symbol.iterator]();
  const failures: unknown[] = [];
  const worker = async () => {
    while (failures.length === 0) {
      const next = iterator.next();
      if (next.done === true) return;
      try {
        await work(next.value);
      } catch (failure) {
        failures.push(failure);
      }
    }
  };
  await Promise.all(Array.from({ length: parallelMax }, worker));
  if (failures.length > 0) throw failures[0];
}
