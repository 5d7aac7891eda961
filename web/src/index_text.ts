/** NumPy's basic index as text: integers, slices, `...` and `None`. */

/** What an index takes of an array. */
export interface Selection {
  /** Axes of the result, in its order. */
  axes: Axis[];
  /** Axes of the array that an integer fixes. */
  fixed: Fixed[];
  /** Lengths of the array's axes. */
  shape: number[];
}

/** A run over an axis of the array; `axis` is -1 for a new one, of length 1. */
export interface Axis {
  axis: number;
  start: number;
  step: number;
  length: number;
}

export interface Fixed {
  axis: number;
  index: number;
}

type Item = { kind: "integer"; value: number } | Slice | { kind: "ellipsis" } | { kind: "new" };

interface Slice {
  kind: "slice";
  start: number | null;
  stop: number | null;
  step: number | null;
}

/** What `text` takes of an array of this shape; throws what is wrong in words. */
export function select(text: string, shape: number[]): Selection {
  const items = parse(text);
  const taken = items.filter(item => item.kind === "integer" || item.kind === "slice").length;
  if (taken > shape.length) {
    throw new Error(`${taken} indices for an array of ${shape.length} dimensions`);
  }
  const selection: Selection = { axes: [], fixed: [], shape };
  const whole = (axis: number) => ({ axis, start: 0, step: 1, length: shape[axis]! });
  let axis = 0;
  if (!items.some(item => item.kind === "ellipsis")) items.push({ kind: "ellipsis" });
  for (const item of items) {
    if (item.kind === "ellipsis") {
      for (let left = shape.length - taken; left > 0; left--) selection.axes.push(whole(axis++));
    } else if (item.kind === "new") {
      selection.axes.push({ axis: -1, start: 0, step: 1, length: 1 });
    } else if (item.kind === "slice") {
      selection.axes.push({ axis, ...resolve(item, shape[axis]!) });
      axis++;
    } else {
      const length = shape[axis]!;
      const { value } = item;
      if (value < -length || value >= length) {
        throw new Error(`index ${value} is out of bounds for axis ${axis} with size ${length}`);
      }
      selection.fixed.push({ axis, index: value < 0 ? value + length : value });
      axis++;
    }
  }
  return selection;
}

/** The index that takes this selection. */
export function toText(selection: Selection): string {
  const items: string[] = [];
  const fixed = new Map(selection.fixed.map(each => [each.axis, each.index]));
  const before = (axis: number) => {
    for (let next = items.filter(item => item !== "None").length; next < axis; next++) {
      items.push(`${fixed.get(next)}`);
    }
  };
  for (const axis of selection.axes) {
    if (axis.axis < 0) {
      items.push("None");
    } else {
      before(axis.axis);
      items.push(sliceText(axis, selection.shape[axis.axis]!));
    }
  }
  before(selection.shape.length);
  return items.length ? items.join(", ") : "...";
}

function sliceText({ start, step, length }: Axis, all: number): string {
  if (start === 0 && step === 1 && length === all) return ":";
  if (length === 0) return "0:0";
  const stop = start + step * (length - 1) + Math.sign(step);
  const end = stop < 0 ? "" : `${stop}`;
  return step === 1 ? `${start}:${end}` : `${start}:${end}:${step}`;
}

export function shapeOf(selection: Selection): number[] {
  return selection.axes.map(axis => axis.length);
}

export function sizeOf(selection: Selection): number {
  return selection.axes.reduce((size, axis) => size * axis.length, 1);
}

/** Where in the array an element is: `at` says where along the axes of the selection. */
export function indexOf(selection: Selection, at: number[]): string {
  const index: (number | undefined)[] = selection.shape.map(() => undefined);
  for (const { axis, index: fixed } of selection.fixed) index[axis] = fixed;
  for (const [i, position] of at.entries()) {
    const { axis, start, step } = selection.axes[i]!;
    if (axis >= 0) index[axis] = start + position * step;
  }
  return `[${index.filter(each => each !== undefined).join(", ")}]`;
}

/** Part of an axis: every `step`-th from `start` on, `length` of them. */
export function part(axis: Axis, start: number, length: number, step = 1): Axis {
  return { axis: axis.axis, start: axis.start + start * axis.step, step: axis.step * step, length };
}

/** What an array is looked at with first: its last two axes, or a picture. */
export function defaultIndex(shape: number[], picture: boolean): string {
  const kept = picture ? 3 : 2;
  if (shape.length <= kept || shape.includes(0)) return "...";
  return [...Array(shape.length - kept).fill("0"), "..."].join(", ");
}

function parse(text: string): Item[] {
  const bare = text
    .trim()
    .replace(/^\[(.*)\]$/s, "$1")
    .trim();
  if (bare === "" || bare === "()") return [];
  const texts = bare.split(",").map(each => each.trim());
  if (texts.length > 1 && texts.at(-1) === "") texts.pop();
  const items = texts.map(item);
  if (items.filter(each => each.kind === "ellipsis").length > 1) {
    throw new Error("an index can have one ellipsis (`...`)");
  }
  return items;
}

function item(text: string): Item {
  if (text === "") throw new Error("an index is missing between commas");
  if (text === "...") return { kind: "ellipsis" };
  if (text === "None" || /^(np\.|numpy\.)?newaxis$/.test(text)) return { kind: "new" };
  const parts = text.split(":").map(each => each.trim());
  if (parts.length === 1) return { kind: "integer", value: integer(text, text) };
  if (parts.length > 3) throw wrong(text);
  const bound = (part: string | undefined) => (part ? integer(part, text) : null);
  const [start, stop, step] = parts.map(bound);
  if (step === 0) throw new Error("slice step cannot be zero");
  return { kind: "slice", start: start ?? null, stop: stop ?? null, step: step ?? null };
}

function integer(text: string, item: string): number {
  const digits = text.replace(/(?<=\d)_(?=\d)/g, "");
  const value = Number(digits);
  if (!/^[+-]?\d+$/.test(digits) || !Number.isSafeInteger(value)) throw wrong(item);
  return value === 0 ? 0 : value;
}

function wrong(text: string): Error {
  return new Error(
    `\`${text}\` is no index; they are integers, \`start:stop:step\`, \`...\` and \`None\``,
  );
}

/** As `slice.indices` of Python. */
function resolve(slice: Slice, length: number): { start: number; step: number; length: number } {
  const step = slice.step ?? 1;
  const [low, high] = step < 0 ? [-1, length - 1] : [0, length];
  const bound = (value: number | null, otherwise: number) => {
    if (value === null) return otherwise;
    return Math.min(Math.max(value < 0 ? value + length : value, low), high);
  };
  const start = bound(slice.start, step < 0 ? high : low);
  const stop = bound(slice.stop, step < 0 ? low : high);
  const count = Math.max(0, Math.ceil((stop - start) / step));
  return { start: count ? start : 0, step: count > 1 ? step : 1, length: count };
}
