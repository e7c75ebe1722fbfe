import type { Cleanup } from "../../test/cluster/cleanup.js";

/** One number with what it is to be compared with. */
export interface Figure {
  readonly what: string;
  readonly value: string;
  /** Empty where nothing is promised. */
  readonly goal: string;
  readonly isMet: boolean | undefined;
}

/** Takes a while each, so each is done once. */
export type Measure = (cleanup: Cleanup, base: string) => Promise<Figure[]>;

export const figuresTable = (title: string, figures: readonly Figure[]): string =>
  [
    `### ${title}`,
    "",
    "| | found | goal |",
    "|---|---|---|",
    ...figures.map(({ what, value, goal, isMet }) => {
      const verdict = isMet === undefined ? "" : isMet ? ": **met**" : ": missed";
      return `| ${what} | ${value} | ${goal}${verdict} |`;
    }),
    "",
  ].join("\n");
