/** A plane with two axes on a canvas. */
import { colour } from "../theme";

export interface Plane {
  left: number;
  top: number;
  width: number;
  height: number;
  x: Range;
  y: Range;
}

export type Range = [low: number, high: number];

export const FONT = "12px system-ui, sans-serif";

/** Makes a canvas as sharp as the screen, and gives what draws on it in CSS pixels. */
export function prepare(canvas: HTMLCanvasElement, width: number, height: number) {
  const scale = devicePixelRatio || 1;
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  canvas.style.height = `${height}px`;
  const context = canvas.getContext("2d")!;
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.font = FONT;
  context.fillStyle = colour("quiet");
  context.strokeStyle = colour("grid");
  context.lineWidth = 1;
  return context;
}

export function xOf(plane: Plane, value: number): number {
  return plane.left + fraction(value, plane.x) * plane.width;
}

export function yOf(plane: Plane, value: number): number {
  return plane.top + (1 - fraction(value, plane.y)) * plane.height;
}

/** The value at a pixel from the left. */
export function valueAt(plane: Plane, x: number): number {
  const part = (x - plane.left) / plane.width;
  return plane.x[0] + part * (plane.x[1] - plane.x[0]);
}

/** Lines and names at the ticks. */
export function drawAxes(
  context: CanvasRenderingContext2D,
  plane: Plane,
  x: { at: number[]; names: string[] },
  y: { at: number[]; names: string[] },
) {
  const { left, top, width, height } = plane;
  context.beginPath();
  context.textAlign = "right";
  context.textBaseline = "middle";
  for (const [i, value] of y.at.entries()) {
    const at = Math.round(yOf(plane, value)) + 0.5;
    context.moveTo(left, at);
    context.lineTo(left + width, at);
    context.fillText(y.names[i]!, left - 8, at);
  }
  context.textAlign = "center";
  context.textBaseline = "top";
  let free = Number.NEGATIVE_INFINITY;
  for (const [i, value] of x.at.entries()) {
    const at = Math.round(xOf(plane, value)) + 0.5;
    context.moveTo(at, top + height);
    context.lineTo(at, top + height + 5);
    // A name at the edge stays on the canvas.
    const half = context.measureText(x.names[i]!).width / 2;
    const middle = Math.min(at, left + width + RIGHT - half);
    // One that has no room beside the one before is left out.
    if (middle - half < free) continue;
    context.fillText(x.names[i]!, middle, top + height + 9);
    free = middle + half + 8;
  }
  context.moveTo(left, top + height + 0.5);
  context.lineTo(left + width, top + height + 0.5);
  context.stroke();
}

/** A range with some room around it. */
export function padded(low: number, high: number): Range {
  if (!(high >= low)) return [0, 1];
  if (high === low) {
    const room = Math.abs(low) * 0.05 || 0.5;
    return [low - room, high + room];
  }
  const room = 0.04 * (high / 2 - low / 2);
  const limit = Number.MAX_VALUE;
  return [Math.max(-limit, low - room), Math.min(limit, high + room)];
}

/** Halves, since a range of doubles may be wider than a double. */
function fraction(value: number, [low, high]: Range): number {
  return (value / 2 - low / 2) / (high / 2 - low / 2);
}

/** Room right of a plane. */
export const RIGHT = 14;
