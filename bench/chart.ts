/** Line charts as SVG, for pages that are light or dark. */

export interface Series {
  readonly name: string;
  /** In order of x; the line is broken where y is NaN. All of them lie on the x axis, those that are NaN, too. */
  readonly points: readonly (readonly [x: number, y: number])[];
}

export interface LineChart {
  readonly title: string;
  /** With the unit behind a comma, if there is one: "time, min". It is written at each tick. */
  readonly xLabel: string;
  readonly yLabel: string;
  readonly series: readonly Series[];
  /** Where on the x axis something happened. */
  readonly marks?: readonly number[];
  /** What happened there. */
  readonly markName?: string;
  /** A logarithmic y axis. */
  readonly log?: boolean;
}

const WIDTH = 860;
const HEIGHT = 300;
const LEFT = 78;
const RIGHT = WIDTH - 22;
const TOP = 64;
const BOTTOM = HEIGHT - 46;
const X_TICKS = 8;
const Y_TICKS = 5;
const CHARACTER = 6.6;

/** Told apart by those who see colours differently, too (Okabe and Ito); lighter on a dark page. */
const COLOURS: readonly (readonly [light: string, dark: string])[] = [
  ["#0072b2", "#56b4e9"],
  ["#d55e00", "#ff9e4a"],
  ["#009e73", "#3ddbb0"],
  ["#a8508a", "#e9a3cf"],
];

const rulesFor = (theme: 0 | 1): string =>
  [
    `.page{fill:${["#ffffff", "#0d1117"][theme]}}`,
    `text{fill:${["#1f2328", "#e6edf3"][theme]}}`,
    `.quiet{fill:${["#59636e", "#9198a1"][theme]}}`,
    `.grid{stroke:${["#d8dee4", "#2f353d"][theme]}}`,
    `.axis{stroke:${["#59636e", "#9198a1"][theme]}}`,
    `.mark{stroke:${["#9a6700", "#d29922"][theme]}}`,
    ...COLOURS.map((colour, at) => `.s${at}{stroke:${colour[theme]}}`),
  ].join("");

const STYLE = [
  "<style>",
  "text{font:12px system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif}.title{font-size:15px;font-weight:600}",
  ".grid{stroke-width:1}.axis{stroke-width:1}.mark{stroke-width:1;stroke-dasharray:3 3;opacity:.55}",
  ".line{fill:none;stroke-width:1.6;stroke-linejoin:round;stroke-linecap:round}",
  rulesFor(0),
  `@media(prefers-color-scheme:dark){${rulesFor(1)}}`,
  "</style>",
].join("");

/** One chart as an SVG document. */
export function lineChart(chart: LineChart): string {
  return stacked([chart]);
}

/** Charts below each other in one SVG document. */
export function stacked(charts: readonly LineChart[]): string {
  const height = HEIGHT * charts.length;
  const name = escaped(charts.map(({ title }) => title).join("; "));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="${name}">`,
    STYLE,
    `<rect class="page" width="${WIDTH}" height="${height}"/>`,
    ...charts.map((chart, at) => `<g transform="translate(0 ${at * HEIGHT})">\n${bodyOf(chart)}\n</g>`),
    "</svg>\n",
  ].join("\n");
}

function bodyOf({ title, xLabel, yLabel, series, marks = [], markName = "", log = false }: LineChart): string {
  const all = series.flatMap((each) => each.points);
  const xs = all.map(([x]) => x);
  const ys = all.map(([, y]) => y).filter((y) => !Number.isNaN(y) && !(log && y <= 0));
  const [first, last] = [Math.min(...xs), Math.max(...xs)];
  const xTicks = linearTicks(first, last, X_TICKS).filter((tick) => tick >= first && tick <= last);
  const yTicks = log ? logTicks(Math.min(...ys), Math.max(...ys)) : linearTicks(0, Math.max(...ys), Y_TICKS);
  const xScale = scale(first, last, LEFT, RIGHT, false);
  const yScale = scale(yTicks[0] as number, yTicks.at(-1) as number, BOTTOM, TOP, log);
  const line = (x1: number, y1: number, x2: number, y2: number, kind: string) =>
    `<line class="${kind}" x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}"/>`;
  const text = (x: number, y: number, words: string, anchor = "start", kind = "") =>
    `<text x="${x}" y="${y}" text-anchor="${anchor}"${kind && ` class="${kind}"`}>${escaped(words)}</text>`;
  return [
    text(LEFT, 22, title, "start", "title"),
    ...legend([
      ...series.map(({ name }, at) => ({ name, kind: `line s${at}` })),
      ...(marks.length > 0 && markName ? [{ name: markName, kind: "mark" }] : []),
    ]).map(({ x, name, kind }) => `${line(x, 42, x + 22, 42, kind)}${text(x + 28, 46, name)}`),
    ...yTicks.map((tick) => {
      const y = round(yScale(tick));
      return `${line(LEFT, y, RIGHT, y, "grid")}${text(LEFT - 8, y + 4, withUnit(tick, yLabel), "end", "quiet")}`;
    }),
    ...xTicks.map((tick) => {
      const x = round(xScale(tick));
      return `${line(x, BOTTOM, x, BOTTOM + 5, "axis")}${text(x, BOTTOM + 19, withUnit(tick, xLabel), "middle", "quiet")}`;
    }),
    ...marks
      .filter((x) => x >= first && x <= last)
      .map((x) => line(round(xScale(x)), TOP, round(xScale(x)), BOTTOM, "mark")),
    line(LEFT, BOTTOM, RIGHT, BOTTOM, "axis"),
    // The first one last, so that it lies on top.
    ...series.map((each, at) => `<path class="line s${at}" d="${pathOf(each, xScale, yScale, log)}"/>`).toReversed(),
    text(RIGHT, BOTTOM + 37, nameOf(xLabel), "end", "quiet"),
    text(LEFT - 8, TOP - 12, nameOf(yLabel), "end", "quiet"),
  ].join("\n");
}

/** One behind the other, each as wide as its name needs. */
function legend(entries: readonly { readonly name: string; readonly kind: string }[]) {
  let x = LEFT;
  return entries.map((entry) => {
    const at = x;
    x += 28 + entry.name.length * CHARACTER + 22;
    return { ...entry, x: round(at) };
  });
}

function pathOf({ points }: Series, xScale: Scale, yScale: Scale, log: boolean): string {
  let isDrawing = false;
  return points
    .map(([x, y]) => {
      if (Number.isNaN(y) || (log && y <= 0)) {
        isDrawing = false;
        return "";
      }
      const step = `${isDrawing ? "L" : "M"}${round(xScale(x))} ${round(yScale(y))}`;
      isDrawing = true;
      return step;
    })
    .join("");
}

type Scale = (value: number) => number;

function scale(least: number, most: number, from: number, to: number, log: boolean): Scale {
  const place = log ? Math.log10 : (value: number) => value;
  const span = place(most) - place(least) || 1;
  return (value) => from + ((place(value) - place(least)) / span) * (to - from);
}

/** Round numbers that enclose the values, about `count` of them. */
export function linearTicks(least: number, most: number, count: number): number[] {
  const span = most - least || 1;
  const decade = 10 ** Math.floor(Math.log10(span / count));
  const step = decade * ([1, 2, 5, 10].find((factor) => factor * decade * count >= span) ?? 10);
  const ticks: number[] = [];
  for (let at = Math.floor(least / step); ; at++) {
    ticks.push(Number((at * step).toPrecision(12)));
    if (at * step >= most) return ticks;
  }
}

/** Powers of ten that enclose the values, with 2 and 5 between them where there are few. */
export function logTicks(least: number, most: number): number[] {
  const decades = Math.log10(most / least);
  const factors = decades > 3.5 ? [1] : decades > 2 ? [1, 3] : [1, 2, 5];
  const all: number[] = [];
  for (let decade = Math.floor(Math.log10(least)); decade <= Math.ceil(Math.log10(most)); decade++)
    all.push(...factors.map((factor) => Number((factor * 10 ** decade).toPrecision(3))));
  const from = all.findLastIndex((tick) => tick <= least);
  const to = all.findIndex((tick) => tick >= most);
  return all.slice(Math.max(0, from), Math.max(from + 2, to + 1));
}

const round = (value: number): number => Math.round(value * 10) / 10;
const nameOf = (label: string): string => label.split(", ")[0] as string;
const unitOf = (label: string): string => label.split(", ")[1] ?? "";
const withUnit = (tick: number, label: string): string => `${tick.toLocaleString("en")} ${unitOf(label)}`.trim();
const escaped = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
