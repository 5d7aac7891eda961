import { useMemo } from "preact/hooks";
import { plural } from "../units";
import { Raster } from "./raster";
import type { Slice } from "./slice";

interface Props {
  slice: Slice;
  set: (index: string) => void;
}

/** Bytes of three or four channels as the colours that they are. */
export function Picture({ slice, set }: Props) {
  const { bytes } = slice;
  const [rows, columns] = slice.selection.axes;
  const [, drawn, channels] = slice.sample.selection.axes;
  const [width, depth] = [drawn!.length, channels!.length];
  const paint = useMemo(
    () => (row: number, column: number, pixels: Uint8ClampedArray, to: number) => {
      const from = (row * width + column) * depth;
      for (let c = 0; c < 3; c++) pixels[to + c] = bytes[from + c]!;
      pixels[to + 3] = depth === 4 ? bytes[from + 3]! : 255;
    },
    [bytes, width, depth],
  );
  const text = (row: number, column: number) => {
    const from = (row * width + column) * depth;
    return `[${bytes.subarray(from, from + depth).join(", ")}]`;
  };
  const label =
    `Picture of ${plural(rows!.length, "row")} and ${plural(columns!.length, "column")}. ` +
    "Arrow keys move its cursor.";
  return (
    <Raster slice={slice} label={label} paint={paint} barWidth={0} text={text} square set={set} />
  );
}
