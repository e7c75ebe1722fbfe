/** What a run is told by its environment. */
export interface Settings {
  readonly minutes: number;
  readonly killSeconds: number;
  readonly seed: number;
}

export function settingsFrom({ MINUTES, KILL_SECONDS, SEED }: NodeJS.ProcessEnv): Settings {
  const minutes = positive("MINUTES", MINUTES, 60);
  const killSeconds = positive("KILL_SECONDS", KILL_SECONDS, 60);
  const seed = positive("SEED", SEED, 1 + Math.floor(Math.random() * 1_000_000));
  return { minutes, killSeconds, seed };
}

function positive(name: string, text: string | undefined, otherwise: number): number {
  const value = text === undefined || text === "" ? otherwise : Number(text);
  if (!(value > 0)) throw new RangeError(`${name} must be a number above 0, and is ${text}`);
  return value;
}
