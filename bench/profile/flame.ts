import type { Frame } from "./tree.js";

const WIDTH = 1_400;
const ROW = 17;
/** Narrower ones cannot be read. */
const WIDTH_MIN = 0.6;
/** Narrower ones have no room for a letter. */
const TEXT_WIDTH_MIN = 30;
const LETTER = 6.6;

const escaped = (text: string): string => text.replace(/[&<>"]/g, (letter) => `&#${letter.charCodeAt(0)};`);

/** Colours say whose code it is. */
function colourOf({ origin }: Frame): string {
  if (origin.startsWith("services/")) return "#e8a33d";
  if (origin.startsWith("npm:")) return "#7fb0d6";
  return origin.startsWith("node:") ? "#9ccf8a" : "#c9c9c9";
}

/** A flame graph: callers above what they call, as wide as the time that was spent there. Hover for figures. */
export function flameGraph(root: Frame, title: string): string {
  const boxes: string[] = [];
  let depthMax = 0;
  const draw = (frame: Frame, x: number, depth: number): void => {
    const width = (frame.us / root.us) * WIDTH;
    if (width < WIDTH_MIN) return;
    depthMax = Math.max(depthMax, depth);
    const share = `${((100 * frame.us) / root.us).toFixed(1)} %, ${((100 * frame.selfUs) / root.us).toFixed(1)} % itself`;
    const letters = Math.floor(width / LETTER);
    const label = width < TEXT_WIDTH_MIN ? "" : escaped(frame.name.slice(0, letters));
    const y = (depth + 2) * ROW;
    boxes.push(
      `<g><title>${escaped(`${frame.name} ${frame.origin}: ${share}`)}</title>` +
        `<rect x="${x.toFixed(1)}" y="${y}" width="${width.toFixed(1)}" height="${ROW - 1}" fill="${colourOf(frame)}"/>` +
        (label === "" ? "" : `<text x="${(x + 2).toFixed(1)}" y="${y + 12}">${label}</text>`) +
        "</g>",
    );
    let at = x;
    for (const callee of [...frame.callees.values()].sort((left, right) => right.us - left.us)) {
      draw(callee, at, depth + 1);
      at += (callee.us / root.us) * WIDTH;
    }
  };
  draw(root, 0, 0);
  const height = (depthMax + 4) * ROW;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="monospace" font-size="11">`,
    `<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>`,
    `<text x="4" y="14" font-size="13">${escaped(title)}</text>`,
    ...boxes,
    "</svg>",
    "",
  ].join("\n");
}
