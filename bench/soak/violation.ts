/** A promise that was broken. */
export class Violation extends Error {
  override readonly name = "Violation";

  /** Where, what was acknowledged, and what is there. */
  static at(path: string, acknowledged: string, found: string): Violation {
    return new Violation(`${path}\n  acknowledged: ${acknowledged}\n  there is: ${found}`);
  }
}
