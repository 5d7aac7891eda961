import { useMemo, useState } from "preact/hooks";
import { level, VIRIDIS } from "../colours";
import type { Leaf } from "../dtype";
import type { Numbers, Part } from "../elements";
import { middleOf, rangeOf } from "../statistics";
import { colour } from "../theme";
import { brief, names, plural } from "../units";
import { dates } from "./dates";
import { Raster } from "./raster";
import type { Slice } from "./slice";

interface Props {
  slice: Slice;
  values: Numbers;
  leaf: Leaf;
  part: Part;
  text: (i: number) => string;
  set: (index: string) => void;
}

/** Values of two axes as colours. What is not finite is left out, so the ground shows. */
export function Heat({ slice, values, leaf, text, set }: Props) {
  const [middle, keep] = useState(false);
  const [low, high] = useMemo(
    () => (middle ? middleOf(values) : rangeOf(values)),
    [values, middle],
  );
  const [rows, columns] = slice.selection.axes;
  const width = slice.sample.selection.axes[1]!.length;
  const paint = useMemo(
    () => (row: number, column: number, pixels: Uint8ClampedArray, to: number) => {
      const value = values[row * width + column]!;
      if (value - value !== 0) return;
      const from = 3 * level(value, low, high);
      for (let c = 0; c < 3; c++) pixels[to + c] = VIRIDIS[from + c]!;
      pixels[to + 3] = 255;
    },
    [values, low, high],
  );
  const date = dates(leaf.dtype);
  const none = low > high;
  const [least, most] = (date && !none ? [date(low), date(high)] : names([low, high], 5)) as [
    string,
    string,
  ];
  const label =
    `Heat map of ${plural(rows!.length, "row")} and ${plural(columns!.length, "column")}, ` +
    `${none ? "without a finite value" : `${middle ? "most " : ""}values from ${least} to ${most}`}. ` +
    "Arrow keys move its cursor.";
  const bar = (context: CanvasRenderingContext2D, left: number, top: number, height: number) => {
    if (none) return;
    for (let y = 0; y < height; y++) {
      const from = 3 * Math.floor(((height - 1 - y) / Math.max(1, height - 1)) * 255);
      context.fillStyle = `rgb(${VIRIDIS[from]} ${VIRIDIS[from + 1]} ${VIRIDIS[from + 2]})`;
      context.fillRect(left, top + y, 12, 1.5);
    }
    context.fillStyle = colour("quiet");
    context.textAlign = "left";
    context.textBaseline = "top";
    if (low === high) {
      context.textBaseline = "middle";
      context.fillText(least, left + 17, top + height / 2);
      return;
    }
    context.fillText(most, left + 17, top);
    if (!date && height > 100) {
      context.textBaseline = "middle";
      context.fillText(brief(low / 2 + high / 2, 4), left + 17, top + height / 2);
    }
    context.textBaseline = "bottom";
    context.fillText(least, left + 17, top + height);
  };
  return (
    <div class="heat">
      <Raster
        slice={slice}
        label={label}
        paint={paint}
        bar={bar}
        barWidth={date ? 140 : 104}
        text={(row, column) => text(row * width + column)}
        square={false}
        set={set}
      />
      <label class="check">
        <input
          type="checkbox"
          checked={middle}
          onChange={event => keep(event.currentTarget.checked)}
        />
        Colours for the middle 98 % of the values
      </label>
    </div>
  );
}
