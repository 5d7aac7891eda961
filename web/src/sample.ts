/** What is read of a selection: all of it, every so many elements, or the first. */
import { type Axis, part, type Selection, shapeOf, sizeOf } from "./index_text";
import { grouped, ordinal } from "./units";

export interface Sample {
  selection: Selection;
  /** How many elements of each axis one stands for. */
  steps: number[];
  whole: boolean;
  nbytes: number;
  picture: boolean;
}

/** Up to this many bytes a selection is read whole. */
export const WHOLE = 8 << 20;
/** Of more bytes than these, fewer elements are taken. */
const GREAT = 1 << 30;
/** Up to this many bytes all of a selection may be read on request. */
export const ALL = 256 << 20;

/**
 * `strided` says that the elements can be read one by one. Where they are compressed, every so many
 * of them would cost decompressing all, so of much the first are taken.
 */
export function sample(
  selection: Selection,
  itemsize: number,
  picture: boolean,
  strided: boolean,
): Sample {
  const shape = shapeOf(selection);
  const nbytes = sizeOf(selection) * itemsize;
  if (nbytes <= WHOLE)
    return { selection, steps: shape.map(() => 1), whole: true, nbytes, picture };
  if (!strided && nbytes > ALL) return first(selection, itemsize, picture);
  // Each row is a place on the disk, and what lies between two columns is often read with them.
  const limits = most(shape, nbytes > GREAT ? 256 : 512, picture);
  for (;;) {
    const steps = shape.map((length, i) => Math.max(1, Math.ceil(length / limits[i]!)));
    const axes = selection.axes.map((axis, i) => every(axis, steps[i]!));
    const thinned = { ...selection, axes };
    const nbytes = sizeOf(thinned) * itemsize;
    if (nbytes <= WHOLE || limits.every(limit => limit === 1)) {
      return { selection: thinned, steps, whole: false, nbytes, picture };
    }
    for (const i of limits.keys()) limits[i] = Math.ceil(limits[i]! / 2);
  }
}

/** The first rows and columns of a selection, for a table. */
export function corner(selection: Selection, rows: number, columns: number): Selection {
  const most = selection.axes.length === 1 ? [rows] : [rows, columns];
  const axes = selection.axes.map((axis, i) =>
    part(axis, 0, Math.min(axis.length, most[i] ?? axis.length)),
  );
  return { ...selection, axes };
}

/** Says what was read, such as "16,384 of 12,500,000,000 elements (every 762,940th)". */
export function describe(sample: Sample, all: Selection): string {
  const total = sizeOf(all);
  if (total === 0) return "no elements";
  if (sample.whole) return total === 1 ? "1 element" : `all ${grouped(total)} elements`;
  const { steps } = sample;
  if (steps.every(step => step === 1)) {
    const count = grouped(sizeOf(sample.selection));
    return `the first ${count} of ${grouped(total)} elements, which are compressed`;
  }
  const plane = steps.length === 2 || sample.picture;
  const names = plane ? ["row", "column"] : steps.map((_, i) => `of axis ${i}`);
  const every = steps
    .map((step, i) =>
      step > 1 ? `every ${ordinal(step)}${steps.length === 1 ? "" : ` ${names[i]}`}` : "",
    )
    .filter(Boolean)
    .join(", ");
  return `${grouped(sizeOf(sample.selection))} of ${grouped(total)} elements (${every})`;
}

function most(shape: number[], side: number, picture: boolean): number[] {
  if (picture) return [side, side, 4];
  if (shape.length === 1) return [16384];
  if (shape.length === 2) {
    // A narrow plane may be long.
    const beside = (length: number) =>
      Math.min(8 * side, Math.floor(side ** 2 / Math.min(length, side)));
    return [beside(shape[1]!), beside(shape[0]!)];
  }
  const each = Math.max(1, Math.floor(65536 ** (1 / shape.length)));
  return shape.map(() => each);
}

function first(selection: Selection, itemsize: number, picture: boolean): Sample {
  const limits = most(shapeOf(selection), 512, picture);
  for (;;) {
    const axes = selection.axes.map((axis, i) => part(axis, 0, Math.min(axis.length, limits[i]!)));
    const some = { ...selection, axes };
    const nbytes = sizeOf(some) * itemsize;
    if (nbytes <= WHOLE || limits.every(limit => limit === 1)) {
      return { selection: some, steps: axes.map(() => 1), whole: false, nbytes, picture };
    }
    for (const i of limits.keys()) limits[i] = Math.ceil(limits[i]! / 2);
  }
}

function every(axis: Axis, step: number): Axis {
  return part(axis, 0, Math.ceil(axis.length / step), step);
}
