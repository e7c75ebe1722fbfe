import type { ContenderName } from "./contenders/index.js";
import type { Load } from "./load.js";

const KiB = 1024;
const MiB = 1024 * KiB;

/** A load under a heading of its table. */
export interface Column {
  readonly title: string;
  readonly load: Omit<Load, "ms">;
}

/** What is to be reached: the median of the ratios of rounds, column by column; undefined where nothing is promised. */
export interface Goal {
  readonly contender: ContenderName;
  readonly against: ContenderName;
  readonly atLeast: readonly (number | undefined)[];
}

/** What one contender is to keep of its speed from one column to another, by their titles. */
export interface Growth {
  readonly contender: ContenderName;
  readonly column: string;
  readonly against: string;
  readonly atLeast: number;
}

export interface Case {
  readonly title: string;
  /** What a figure counts. */
  readonly unit: "operations a second" | "MB a second";
  readonly columns: readonly Column[];
  /** The first is what the others are compared with. */
  readonly contenders: readonly ContenderName[];
  readonly goals: readonly Goal[];
  readonly growth?: readonly Growth[];
  /** Whether `make bench-quick` runs it. */
  readonly isQuick: boolean;
}

const PATHS = 1_000;
const MANY = 100_000;
const small = { paths: PATHS, sizeBytes: 4 * KiB } as const;
const at = (concurrency: number, load: Omit<Load, "ms" | "concurrency">): Column => ({
  title: `${concurrency}`,
  load: { ...load, concurrency },
});

export const CASES: readonly Case[] = [
  {
    title: "Durable overwrite of 4 KiB over 1,000 paths, by concurrency",
    unit: "operations a second",
    columns: [1, 16, 64, 256].map((concurrency) => at(concurrency, { workload: "write", ...small })),
    contenders: [
      "hand loop",
      "engine",
      "Safefile",
      "Safefile, WriteFiles",
      "Safefile, 2 replicas",
      "naive pipeline",
      "write-file-atomic",
      "MinIO",
      "bare grpc-js",
    ],
    goals: [
      { contender: "engine", against: "hand loop", atLeast: [4, 6, 8] },
      { contender: "Safefile", against: "hand loop", atLeast: [1.5, 2, 3] },
      { contender: "Safefile", against: "bare grpc-js", atLeast: [undefined, undefined, 0.75] },
      { contender: "Safefile, WriteFiles", against: "hand loop", atLeast: [undefined, undefined, 6] },
      { contender: "Safefile", against: "naive pipeline", atLeast: [4, 6, 8] },
      { contender: "Safefile", against: "MinIO", atLeast: [undefined, 2, 2] },
    ],
    isQuick: true,
  },
  {
    title: "Durable overwrite at 16, by paths and size",
    unit: "operations a second",
    columns: [
      { title: "1 path, 4 KiB", load: { workload: "write", concurrency: 16, paths: 1, sizeBytes: 4 * KiB } },
      { title: "1,000 paths, 1 KiB", load: { workload: "write", concurrency: 16, paths: PATHS, sizeBytes: KiB } },
      { title: "1,000 paths, 64 KiB", load: { workload: "write", concurrency: 16, paths: PATHS, sizeBytes: 64 * KiB } },
    ],
    contenders: ["hand loop", "engine", "Safefile", "naive pipeline"],
    goals: [],
    isQuick: false,
  },
  {
    title: "A new file of 4 KiB, by concurrency",
    unit: "operations a second",
    columns: [1, 16, 64].map((concurrency) => at(concurrency, { workload: "write", paths: "new", sizeBytes: 4 * KiB })),
    contenders: ["hand loop", "engine", "Safefile"],
    goals: [],
    isQuick: false,
  },
  {
    title: "Ten files of 4 KiB at once",
    unit: "operations a second",
    columns: [1, 16].map((concurrency) => at(concurrency, { workload: "ten", paths: 100, sizeBytes: 4 * KiB })),
    contenders: ["Safefile, one by one", "Safefile", "hand loop"],
    goals: [{ contender: "Safefile", against: "Safefile, one by one", atLeast: [5] }],
    isQuick: true,
  },
  {
    title: "Read of 4 KiB, by concurrency",
    unit: "operations a second",
    columns: [1, 16, 64].map((concurrency) => at(concurrency, { workload: "read", ...small })),
    contenders: ["bare grpc-js", "Safefile", "hand loop"],
    goals: [{ contender: "Safefile", against: "bare grpc-js", atLeast: [0.85, 0.85, 0.85] }],
    isQuick: true,
  },
  {
    title: "Stat, by concurrency",
    unit: "operations a second",
    columns: [1, 16, 64].map((concurrency) => at(concurrency, { workload: "stat", ...small })),
    contenders: ["bare grpc-js", "Safefile", "hand loop"],
    goals: [],
    isQuick: false,
  },
  {
    title: "Large files",
    unit: "MB a second",
    columns: (["upload", "download"] as const).flatMap((workload): Column[] => [
      {
        title: `${workload} of 1 GiB`,
        load: { workload, concurrency: 1, paths: 1, sizeBytes: 1024 * MiB, count: 1 },
      },
      {
        title: `8 ${workload}s of 100 MiB`,
        load: { workload, concurrency: 8, paths: 8, sizeBytes: 100 * MiB, count: 8 },
      },
    ]),
    contenders: ["bare grpc-js", "Safefile", "dd conv=fsync"],
    goals: [
      { contender: "Safefile", against: "bare grpc-js", atLeast: [0.85, undefined, 0.85] },
      { contender: "Safefile", against: "dd conv=fsync", atLeast: [0.6] },
    ],
    isQuick: false,
  },
  {
    title: "Growth: 4 KiB at 64, and pages, by paths that are there",
    unit: "operations a second",
    columns: [PATHS, MANY].flatMap((paths): Column[] => {
      const count = paths.toLocaleString("en");
      return [
        { title: `overwrite, ${count}`, load: { workload: "write", concurrency: 64, paths, sizeBytes: 4 * KiB } },
        { title: `list 1,000, ${count}`, load: { workload: "list", concurrency: 1, paths, sizeBytes: 4 * KiB } },
        { title: `revisions, ${count}`, load: { workload: "revisions", concurrency: 1, paths, sizeBytes: 4 * KiB } },
      ];
    }),
    contenders: ["Safefile"],
    goals: [],
    growth: [
      {
        contender: "Safefile",
        column: `overwrite, ${MANY.toLocaleString("en")}`,
        against: `overwrite, ${PATHS.toLocaleString("en")}`,
        atLeast: 0.8,
      },
    ],
    isQuick: false,
  },
];
