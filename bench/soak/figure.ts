import { stacked } from "../chart.js";
import type { Kind } from "./meter.js";
import { READING_MS, type Recording, type Usage, WINDOW_CALLS_MIN } from "./recording.js";

const MINUTE_MS = 60_000;

/** p99 of each window over time with the kills, and below it the memory. */
export function figureOf({ windows, usages, kills }: Recording): string {
  const endMs = usages.at(-1)?.atMs ?? 0;
  const p99 = (kind: Kind): [number, number][] => [
    [0, Number.NaN],
    ...windows.flatMap((window, at): [number, number][] => {
      const minute = ((at + 0.5) * READING_MS) / MINUTE_MS;
      const isEnough = window[kind].count >= WINDOW_CALLS_MIN && minute * MINUTE_MS < endMs;
      return isEnough ? [[minute, window[kind].percentileMs(99)]] : [];
    }),
    [endMs / MINUTE_MS, Number.NaN],
  ];
  const memory = (read: (usage: Usage) => number | undefined): [number, number][] => [
    [0, Number.NaN],
    ...usages.map((usage): [number, number] => [usage.atMs / MINUTE_MS, read(usage) ?? Number.NaN]),
  ];
  const shared = {
    xLabel: "time, min",
    marks: kills.map(({ atMs }) => atMs / MINUTE_MS),
    markName: "a replica is killed",
  };
  return stacked([
    {
      ...shared,
      title: `Latency of small writes and of reads, 99th percentile of each ${READING_MS / 1_000} s`,
      yLabel: "p99, ms",
      series: [
        { name: "write", points: p99("write") },
        { name: "read", points: p99("read") },
      ],
      log: true,
    },
    {
      ...shared,
      title: "Resident memory",
      yLabel: "RSS, MiB",
      series: [
        { name: "replica that is never killed", points: memory(({ residentMb }) => residentMb[2]) },
        { name: "killed 1", points: memory(({ residentMb }) => residentMb[0]) },
        { name: "killed 2", points: memory(({ residentMb }) => residentMb[1]) },
        { name: "Redis (used)", points: memory(({ redisMb }) => redisMb) },
      ],
    },
  ]);
}
