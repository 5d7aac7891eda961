import { useMemo } from "preact/hooks";
import type { DType, Leaf } from "../dtype";
import { numbers, type Part } from "../elements";
import { type Selection, shapeOf, toText } from "../index_text";
import { elementText } from "../text";
import { shapeText } from "./facts";
import { Heat } from "./heat";
import { Line } from "./line";
import { Picture } from "./picture";
import type { Slice } from "./slice";

interface Props {
  slice: Slice;
  dtype: DType;
  leaf: Leaf | undefined;
  part: Part;
  set: (index: string) => void;
}

/** A selection as its number of dimensions asks. */
export function Drawing({ slice, dtype, leaf, part, set }: Props) {
  const values = useMemo(
    () => (leaf && !slice.tooLarge ? numbers(slice.bytes, slice.itemsize, leaf, part) : undefined),
    [slice, leaf?.path, part],
  );
  const { axes } = slice.selection;
  if (slice.tooLarge) {
    return (
      <p class="note">
        One element has {slice.itemsize.toLocaleString("en")} bytes: too many to show.
      </p>
    );
  }
  if (axes.length === 0) {
    return <p class="scalar">{elementText(slice.bytes, 0, dtype)}</p>;
  }
  if (slice.picture) return <Picture slice={slice} set={set} />;
  if (!values || !leaf) {
    return <p class="note">Elements of this dtype have no number to draw; the table shows them.</p>;
  }
  const text = (i: number) =>
    elementText(slice.bytes, i * slice.itemsize + leaf.offset, leaf.dtype);
  if (axes.length === 1) {
    return <Line slice={slice} values={values} leaf={leaf} text={text} set={set} />;
  }
  if (axes.length === 2) {
    return <Heat slice={slice} values={values} leaf={leaf} part={part} text={text} set={set} />;
  }
  return <TooMany selection={slice.selection} set={set} />;
}

/** A selection of more dimensions than a plane has. */
function TooMany({ selection, set }: { selection: Selection; set: (index: string) => void }) {
  const { axes } = selection;
  const drop = axes.slice(0, -2).filter(axis => axis.axis >= 0);
  const fixed = [...selection.fixed, ...drop.map(({ axis, start }) => ({ axis, index: start }))];
  const plane = { ...selection, axes: axes.slice(-2), fixed };
  return (
    <div class="note">
      <p>
        The selection has {axes.length} dimensions, {shapeText(shapeOf(selection))}: one or two can
        be drawn. Fix the others by an integer.
      </p>
      <button type="button" onClick={() => set(toText(plane))}>
        Show {toText(plane)}
      </button>
    </div>
  );
}
