let offsetMs = Date.now() - performance.now();

/**
 * The wall clock in fractions of a millisecond, for the times of spans. OpenTelemetry begins spans at whole
 * milliseconds, in which half of an operation's stages would seem to run at once.
 */
export function nowMs(): number {
  const wholeMs = Date.now();
  const fineMs = performance.now() + offsetMs;
  // The two must show the same millisecond; when somebody sets the wall clock, this follows.
  if (fineMs < wholeMs) offsetMs += wholeMs - fineMs;
  else if (fineMs >= wholeMs + 1) offsetMs -= fineMs - wholeMs;
  return performance.now() + offsetMs;
}
