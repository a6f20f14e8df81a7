/**
 * A small line chart as SVG text, both axes logarithmic. The first line is the one that the chart
 * is about; every line carries its name at its end. Pure.
 */

/** One line of a chart. */
export interface ChartLine {
  readonly name: string;
  /** By rising x; all values above 0. */
  readonly points: readonly { readonly x: number; readonly y: number }[];
}

/** What to draw. */
export interface Chart {
  readonly title: string;
  readonly lines: readonly ChartLine[];
}

const width = 720;
const height = 400;
const left = 56;
const right = 190;
const top = 56;
const bottom = 40;

/** The least distance of two names at the right, pixels: the height of a line of text. */
const nameGap = 17;

/** The first line stands out; the others are told apart by their names and dashes. */
const colours = ['#1f6feb', '#57606a', '#57606a', '#8c959f'];
const dashes = ['', '', '6 4', '2 3'];

/** Draws a chart. */
export function lineChart({ title, lines }: Chart): string {
  const points = lines.flatMap((line) => line.points);
  const x = scale(points.map((point) => point.x), left, width - right);
  const y = scale(points.map((point) => point.y), height - bottom, top);
  const grid = ticks(points.map((point) => point.y)).map((value) => {
    const at = y(value).toFixed(1);
    return `<line x1="${left}" x2="${width - right}" y1="${at}" y2="${at}" stroke="#e4e7eb"/>` +
      text(left - 8, y(value) + 4, label(value), 'end');
  });
  const feet = lines[0]!.points.map((point) =>
    text(x(point.x), height - bottom + 20, label(point.x), 'middle')
  );
  const ends = lines.map((line) => y(line.points.at(-1)!.y));
  const names = apart(ends).map((at, index) =>
    text(width - right + 12, at + 4, lines[index]!.name, 'start', colours[index])
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" ` +
    'font-family="system-ui, sans-serif" font-size="13">',
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    `<text x="${left}" y="28" font-size="15" font-weight="600" fill="#1f2328">${
      escaped(title)
    }</text>`,
    ...grid,
    ...feet,
    ...lines.map((line, index) => drawLine(line, index, x, y)).reverse(),
    ...names,
    '</svg>\n',
  ].join('\n');
}

// ---

type Scale = (value: number) => number;

function drawLine({ points }: ChartLine, index: number, x: Scale, y: Scale): string {
  const colour = colours[index] ?? colours.at(-1)!;
  const places = points.map((point) => [x(point.x).toFixed(1), y(point.y).toFixed(1)] as const);
  const dots = places.map(([cx, cy]) => `<circle cx="${cx}" cy="${cy}" r="3.5" fill="${colour}"/>`);
  return `<polyline points="${places.map((place) => place.join(',')).join(' ')}" fill="none" ` +
    `stroke="${colour}" stroke-width="2" stroke-dasharray="${dashes[index] ?? ''}"/>` +
    dots.join('');
}

function text(x: number, y: number, words: string, anchor: string, colour = '#57606a'): string {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}" ` +
    `fill="${colour}">${escaped(words)}</text>`;
}

/** Places values on a logarithmic axis between two pixels. */
function scale(values: readonly number[], from: number, to: number): Scale {
  const low = Math.log(Math.min(...values));
  const span = Math.log(Math.max(...values)) - low || 1;
  return (value) => from + (Math.log(value) - low) / span * (to - from);
}

/** 1, 2 and 5 times powers of ten within the range of values. */
function ticks(values: readonly number[]): number[] {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const found: number[] = [];
  for (let power = Math.floor(Math.log10(low)); 10 ** power <= high; power++) {
    for (const factor of [1, 2, 5]) {
      const value = factor * 10 ** power;
      if (value >= low && value <= high) found.push(value);
    }
  }
  return found;
}

/** Moves places down until none is nearer than a line of text to the one above it. */
function apart(places: readonly number[]): number[] {
  const moved = [...places];
  const order = places.map((_, index) => index).sort((one, two) => places[one]! - places[two]!);
  for (const [rank, index] of order.entries()) {
    if (rank === 0) continue;
    moved[index] = Math.max(moved[index]!, moved[order[rank - 1]!]! + nameGap);
  }
  return moved;
}

function label(value: number): string {
  return value.toLocaleString('en-US', { maximumSignificantDigits: 2 });
}

function escaped(words: string): string {
  return words.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
