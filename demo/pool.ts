/** Runs `work` for each item, at most `parallelMax` at once. The first failure ends it; what is running is waited for. */
export async function eachParallel<T>(
  items: Iterable<T>,
  parallelMax: number,
  work: (item: T, worker: number) => Promise<void>,
): Promise<void> {
  const iterator = items[Symbol.iterator]();
  let failed = false;
  const run = async (worker: number): Promise<void> => {
    for (let next = iterator.next(); !failed && !next.done; next = iterator.next()) {
      try {
        await work(next.value, worker);
      } catch (failure) {
        failed = true;
        throw failure;
      }
    }
  };
  const results = await Promise.allSettled(Array.from({ length: parallelMax }, (_, worker) => run(worker)));
  for (const result of results) if (result.status === "rejected") throw result.reason;
}

/** Everything that is yielded. */
export async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}
