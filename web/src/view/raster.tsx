import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { type Axis, indexOf, part, toText } from "../index_text";
import { grouped, ticks } from "../units";
import { prepare } from "./plane";
import { Readout } from "./readout";
import type { Slice } from "./slice";
import { useThemeTurn, useWidth } from "./width";

interface Props {
  slice: Slice;
  label: string;
  /** Colours the pixel at byte `to` as the element of this row and column. */
  paint: (row: number, column: number, pixels: Uint8ClampedArray, to: number) => void;
  /** Draws what is right of the raster, such as a colour bar. */
  bar?: (context: CanvasRenderingContext2D, left: number, top: number, height: number) => void;
  barWidth: number;
  /** An element as text. */
  text: (row: number, column: number) => string;
  /** Keeps rows as high as columns are wide, always. */
  square: boolean;
  set: (index: string) => void;
}

interface Place {
  row: number;
  column: number;
}

/** Elements of two axes as pixels, with the indices at their edges. */
export function Raster(props: Props) {
  const { slice, paint, text, set } = props;
  const { element, width } = useWidth();
  const turn = useThemeTurn();
  const canvas = useRef<HTMLCanvasElement>(null);
  const [at, setAt] = useState<Place | null>(null);
  const [drag, setDrag] = useState<{ from: Place; to: Place } | null>(null);
  const [rows, columns] = slice.sample.selection.axes as [Axis, Axis];
  const image = useMemo(() => rasterOf(rows.length, columns.length, paint), [slice, paint]);
  const box = layout(width, rows, columns, props.barWidth, props.square);

  useLayoutEffect(() => {
    if (!width) return;
    const context = prepare(canvas.current!, width, box.full);
    context.imageSmoothingEnabled = image.width > box.width * devicePixelRatio;
    context.imageSmoothingQuality = "high";
    context.drawImage(image, box.left, box.top, box.width, box.height);
    axes(context, box, rows, columns);
    props.bar?.(context, box.left + box.width + 14, box.top, box.height);
    if (at) mark(context, box, at, rows.length, columns.length);
    if (drag) frame(context, box, drag, rows.length, columns.length);
    canvas.current!.dataset.box = `${box.left} ${box.top} ${box.width} ${box.height}`;
  }, [image, width, turn, at, drag, box.full]);

  useEffect(() => setAt(null), [slice.key]);

  const place = (event: PointerEvent): Place => {
    const bounds = canvas.current!.getBoundingClientRect();
    const x = (event.clientX - bounds.left - box.left) / box.width;
    const y = (event.clientY - bounds.top - box.top) / box.height;
    return {
      row: clamp(Math.floor(y * rows.length), rows.length),
      column: clamp(Math.floor(x * columns.length), columns.length),
    };
  };
  const inside = (event: PointerEvent) => {
    const bounds = canvas.current!.getBoundingClientRect();
    const [x, y] = [event.clientX - bounds.left - box.left, event.clientY - bounds.top - box.top];
    return x >= 0 && y >= 0 && x < box.width && y < box.height;
  };

  /** Shows what is between two places, both included. */
  const zoom = (a: Place, b: Place) => {
    const axes = slice.selection.axes.map((axis, i) => {
      const key = i === 0 ? "row" : "column";
      if (i > 1) return axis;
      const step = slice.sample.steps[i]!;
      const from = Math.min(a[key], b[key]) * step;
      const to = Math.min(axis.length, (Math.max(a[key], b[key]) + 1) * step);
      return part(axis, from, to - from);
    });
    set(toText({ ...slice.selection, axes }));
  };
  const whole = () => {
    const axes = slice.selection.axes.map(axis =>
      axis.axis < 0
        ? axis
        : { axis: axis.axis, start: 0, step: 1, length: slice.selection.shape[axis.axis]! },
    );
    set(toText({ ...slice.selection, axes }));
  };

  const down = (event: PointerEvent) => {
    if (event.button !== 0 || event.pointerType === "touch" || !inside(event)) return;
    canvas.current!.setPointerCapture(event.pointerId);
    const here = place(event);
    setDrag({ from: here, to: here });
  };
  const moved = (event: PointerEvent) => {
    if (drag) setDrag({ from: drag.from, to: place(event) });
    setAt(drag || inside(event) ? place(event) : null);
  };
  const up = () => {
    if (drag && drag.from.row !== drag.to.row && drag.from.column !== drag.to.column) {
      zoom(drag.from, drag.to);
    }
    setDrag(null);
  };
  const key = (event: KeyboardEvent) => {
    if (event.key === "-") return whole();
    const here = at ?? { row: 0, column: 0 };
    if (event.key === "+") {
      const [high, wide] = [rows.length / 4, columns.length / 4].map(Math.ceil) as [number, number];
      const low = {
        row: clamp(here.row - high, rows.length),
        column: clamp(here.column - wide, columns.length),
      };
      const top = {
        row: clamp(here.row + high, rows.length),
        column: clamp(here.column + wide, columns.length),
      };
      return zoom(low, top);
    }
    const step = event.shiftKey ? 10 : 1;
    const move = {
      ArrowUp: [-step, 0],
      ArrowDown: [step, 0],
      ArrowLeft: [0, -step],
      ArrowRight: [0, step],
      Home: [0, -columns.length],
      End: [0, columns.length],
      PageUp: [-Math.ceil(rows.length / 10), 0],
      PageDown: [Math.ceil(rows.length / 10), 0],
    }[event.key];
    if (!move) return;
    event.preventDefault();
    if (!at) return setAt(here);
    setAt({
      row: clamp(here.row + move[0]!, rows.length),
      column: clamp(here.column + move[1]!, columns.length),
    });
  };

  const value =
    at && at.row < rows.length && at.column < columns.length
      ? `${indexOf(slice.sample.selection, [at.row, at.column])} = ${text(at.row, at.column)}`
      : null;
  return (
    <figure class="plot">
      <div ref={element}>
        <canvas
          ref={canvas}
          class="canvas"
          tabIndex={0}
          role="img"
          aria-label={props.label}
          onKeyDown={key}
          onPointerDown={down}
          onPointerMove={moved}
          onPointerUp={up}
          onPointerLeave={() => setAt(null)}
        />
      </div>
      <Readout value={value} hint={HINT} />
    </figure>
  );
}

interface Box {
  left: number;
  top: number;
  width: number;
  height: number;
  /** Of the canvas. */
  full: number;
}

function layout(width: number, down: Axis, across: Axis, bar: number, square: boolean): Box {
  const [rows, columns] = [down.length, across.length];
  const greatest = Math.max(down.start, down.start + (rows - 1) * down.step);
  const left = 14 + Math.ceil(7.2 * grouped(greatest).length);
  const room = Math.max(60, width - left - bar - 12);
  const most = Math.min(MOST_HEIGHT, Math.max(260, room));
  const scale = Math.min(room / columns, most / rows, MOST_CELL);
  let [wide, high] = [columns * scale, rows * scale];
  // A narrow strip would show nothing, so its cells are no squares.
  if (!square && wide < LEAST) wide = Math.min(room, LEAST);
  if (!square && high < LEAST) high = LEAST;
  wide = Math.max(1, Math.round(wide));
  high = Math.max(1, Math.round(high));
  return { left, top: 6, width: wide, height: high, full: high + 36 };
}

/** The elements as an image; of more than fit in one, every so many. */
function rasterOf(rows: number, columns: number, paint: Props["paint"]): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  canvas.width = Math.min(columns, MOST_PIXELS);
  canvas.height = Math.min(rows, MOST_PIXELS);
  const { width, height } = canvas;
  const context = canvas.getContext("2d")!;
  const image = context.createImageData(width, height);
  for (let y = 0, to = 0; y < height; y++) {
    const row = Math.floor(((y + 0.5) * rows) / height);
    for (let x = 0; x < width; x++, to += 4) {
      paint(row, Math.floor(((x + 0.5) * columns) / width), image.data, to);
    }
  }
  context.putImageData(image, 0, 0);
  return canvas;
}

function axes(context: CanvasRenderingContext2D, box: Box, rows: Axis, columns: Axis) {
  const { left, top, width, height } = box;
  context.strokeRect(left - 0.5, top - 0.5, width + 1, height + 1);
  context.textAlign = "right";
  context.textBaseline = "middle";
  for (const [i, index] of marks(rows, height / 28)) {
    const y = top + ((i + 0.5) * height) / rows.length;
    tick(context, left - 5, y, left, y);
    context.fillText(index, left - 8, y);
  }
  context.textAlign = "center";
  context.textBaseline = "top";
  for (const [i, index] of marks(columns, width / 70)) {
    const x = left + ((i + 0.5) * width) / columns.length;
    tick(context, x, top + height, x, top + height + 5);
    context.fillText(index, x, top + height + 9);
  }
}

/** Positions along an axis with the indices that they have in the array. */
function marks(axis: Axis, count: number): [number, string][] {
  const last = axis.start + (axis.length - 1) * axis.step;
  const [low, high] = [Math.min(axis.start, last), Math.max(axis.start, last)];
  return ticks(low, high, count, true).map(index => [
    (index - axis.start) / axis.step,
    grouped(index),
  ]);
}

function tick(context: CanvasRenderingContext2D, ...[x0, y0, x1, y1]: number[]) {
  context.beginPath();
  context.moveTo(x0!, y0!);
  context.lineTo(x1!, y1!);
  context.stroke();
}

/** A ring around the element of the cursor, seen on dark and light. */
function mark(
  context: CanvasRenderingContext2D,
  box: Box,
  at: Place,
  rows: number,
  columns: number,
) {
  const [wide, high] = [Math.max(7, box.width / columns), Math.max(7, box.height / rows)];
  const x = box.left + ((at.column + 0.5) * box.width) / columns - wide / 2;
  const y = box.top + ((at.row + 0.5) * box.height) / rows - high / 2;
  outline(context, x, y, wide, high);
}

function frame(
  context: CanvasRenderingContext2D,
  box: Box,
  drag: { from: Place; to: Place },
  rows: number,
  columns: number,
) {
  const [top, bottom] = [drag.from.row, drag.to.row].sort((a, b) => a - b) as [number, number];
  const [left, right] = [drag.from.column, drag.to.column].sort((a, b) => a - b) as [
    number,
    number,
  ];
  const [wide, high] = [box.width / columns, box.height / rows];
  outline(
    context,
    box.left + left * wide,
    box.top + top * high,
    (right + 1 - left) * wide,
    (bottom + 1 - top) * high,
  );
}

function outline(
  context: CanvasRenderingContext2D,
  x: number,
  y: number,
  wide: number,
  high: number,
) {
  context.lineWidth = 3;
  context.strokeStyle = "#000";
  context.strokeRect(x, y, wide, high);
  context.lineWidth = 1.5;
  context.strokeStyle = "#fff";
  context.strokeRect(x, y, wide, high);
}

function clamp(value: number, length: number): number {
  return Math.max(0, Math.min(length - 1, value));
}

const HINT = "Arrow keys or the pointer read values; drag to look closer, + and - too.";
const MOST_HEIGHT = 520;
const MOST_CELL = 40;
const MOST_PIXELS = 1024;
const LEAST = 140;
