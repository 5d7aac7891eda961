import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { decimate } from "../decimate";
import type { Leaf } from "../dtype";
import type { Numbers } from "../elements";
import { indexOf, part, toText } from "../index_text";
import { rangeOf } from "../statistics";
import { colour } from "../theme";
import { grouped, names, plural, ticks } from "../units";
import { dates } from "./dates";
import {
  drawAxes,
  type Plane,
  padded,
  prepare,
  type Range,
  RIGHT,
  valueAt,
  xOf,
  yOf,
} from "./plane";
import { Readout } from "./readout";
import type { Slice } from "./slice";
import { useThemeTurn, useWidth } from "./width";

interface Props {
  slice: Slice;
  values: Numbers;
  leaf: Leaf;
  /** An element as text. */
  text: (i: number) => string;
  set: (index: string) => void;
}

/** Values over the index. */
export function Line({ slice, values, leaf, text, set }: Props) {
  const { element, width } = useWidth();
  const turn = useThemeTurn();
  const canvas = useRef<HTMLCanvasElement>(null);
  const [at, setAt] = useState<number | null>(null);
  const [drag, setDrag] = useState<[number, number] | null>(null);
  const { start, step } = slice.sample.selection.axes[0]!;
  const [low, high] = useMemo(() => rangeOf(values), [values]);
  const date = dates(leaf.dtype);
  const range = padded(low, high);
  const height = Math.min(340, Math.max(200, Math.round(width * 0.45)));
  const rows = ticks(range[0], range[1], height / 45);
  const rowNames = date ? rows.map(date) : names(rows);
  const left = Math.max(64, 16 + 7.5 * Math.max(...rowNames.map(each => each.length)));
  const plane: Plane = {
    left,
    top: 10,
    width: Math.max(40, width - left - RIGHT),
    height,
    x: extent(values.length, start, step),
    y: range,
  };
  const points = useMemo(() => decimate(values, Math.max(50, plane.width)), [values, plane.width]);
  const xIndex = (i: number) => start + i * step;
  const last = values.length - 1;

  useLayoutEffect(() => {
    if (!width) return;
    const context = prepare(canvas.current!, width, plane.top + plane.height + BOTTOM);
    const columns = ticks(plane.x[0], plane.x[1], plane.width / 90, true);
    const x = { at: columns, names: columns.map(grouped) };
    drawAxes(context, plane, x, { at: rows, names: rowNames });
    if (drag) {
      const [from, to] = drag.map(i => xOf(plane, xIndex(i))) as [number, number];
      context.fillStyle = colour("fill");
      context.fillRect(Math.min(from, to), plane.top, Math.abs(to - from), plane.height);
    }
    drawLine(context, plane, points, xIndex, values.length <= plane.width / 8);
    if (at !== null && at <= last) drawCursor(context, plane, xIndex(at), values[at]!);
  }, [points, width, turn, at, drag]);

  useEffect(() => setAt(null), [slice.key]);

  const place = (event: PointerEvent): number => {
    const left = canvas.current!.getBoundingClientRect().left;
    const near = Math.round((valueAt(plane, event.clientX - left) - start) / step);
    return Math.max(0, Math.min(last, near));
  };
  const down = (event: PointerEvent) => {
    if (event.button !== 0 || event.pointerType === "touch") return;
    canvas.current!.setPointerCapture(event.pointerId);
    setDrag([place(event), place(event)]);
  };
  const move = (event: PointerEvent) => {
    if (drag) setDrag([drag[0], place(event)]);
    setAt(place(event));
  };
  const up = () => {
    if (drag && drag[0] !== drag[1]) zoom(...drag);
    setDrag(null);
  };

  /** Shows what is between two of the elements that are drawn, both included. */
  const zoom = (a: number, b: number) => {
    const axis = slice.selection.axes[0]!;
    const each = slice.sample.steps[0]!;
    const from = Math.min(a, b) * each;
    const to = Math.min(axis.length, (Math.max(a, b) + 1) * each);
    set(toText({ ...slice.selection, axes: [part(axis, from, to - from)] }));
  };
  const key = (event: KeyboardEvent) => {
    const here = at ?? -1;
    const page = Math.max(1, Math.round(values.length / 20));
    if (event.key === "+" && last > 1) {
      const around = Math.ceil(last / 4);
      return zoom(Math.max(0, here - around), Math.min(last, Math.max(0, here) + around));
    }
    const to = {
      ArrowRight: here + 1,
      ArrowLeft: at === null ? last : here - 1,
      PageDown: here + page,
      PageUp: here - page,
      Home: 0,
      End: last,
    }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    setAt(Math.max(0, Math.min(last, to)));
  };

  const [least, most] = date && low <= high ? [date(low), date(high)] : names([low, high], 6);
  const words = low <= high ? `, values from ${least} to ${most}` : ", none of them finite";
  const value =
    at === null || at > last ? null : `${indexOf(slice.sample.selection, [at])} = ${text(at)}`;
  return (
    <figure class="plot">
      <div ref={element}>
        <canvas
          ref={canvas}
          class="canvas"
          tabIndex={0}
          role="img"
          aria-label={`Line plot of ${plural(values.length, "element")}${words}. Arrow keys move along it.`}
          onKeyDown={key}
          onPointerDown={down}
          onPointerMove={move}
          onPointerUp={up}
          onPointerLeave={() => setAt(null)}
        />
      </div>
      <Readout value={value} hint={HINT} />
    </figure>
  );
}

/** Indices of the array from the first that is drawn to the last. */
function extent(count: number, start: number, step: number): Range {
  // A single element is in the middle.
  if (count === 1) return [start - 1, start + 1];
  const end = start + (count - 1) * step;
  return [Math.min(start, end), Math.max(start, end)];
}

function drawLine(
  context: CanvasRenderingContext2D,
  plane: Plane,
  points: { at: number[]; values: (number | null)[] },
  xIndex: (i: number) => number,
  dots: boolean,
) {
  context.strokeStyle = colour("accent");
  context.fillStyle = colour("accent");
  context.lineWidth = 1.25;
  context.lineJoin = "round";
  context.beginPath();
  let joined = false;
  for (const [i, value] of points.values.entries()) {
    if (value === null) {
      joined = false;
      continue;
    }
    const [x, y] = [xOf(plane, xIndex(points.at[i]!)), yOf(plane, value)];
    // A value between two gaps would have no line.
    const alone = !joined && (points.values[i + 1] ?? null) === null;
    if (dots || alone) context.fillRect(x - 2, y - 2, 4, 4);
    if (joined) context.lineTo(x, y);
    else context.moveTo(x, y);
    joined = true;
  }
  context.stroke();
}

function drawCursor(context: CanvasRenderingContext2D, plane: Plane, index: number, value: number) {
  const x = xOf(plane, index);
  context.lineWidth = 1;
  context.strokeStyle = colour("quiet");
  context.beginPath();
  context.moveTo(x, plane.top);
  context.lineTo(x, plane.top + plane.height);
  context.stroke();
  if (value - value !== 0) return;
  context.fillStyle = colour("ink");
  context.beginPath();
  context.arc(x, yOf(plane, value), 3.5, 0, 2 * Math.PI);
  context.fill();
}

const HINT = "Arrow keys or the pointer read values; drag to look closer, + too.";
const BOTTOM = 28;
