import type { ComponentChildren } from "preact";
import type { DType } from "../dtype";
import { type Axis, sizeOf } from "../index_text";
import { elementText } from "../text";
import { grouped, plural } from "../units";
import { COLUMNS, ROWS, type Slice } from "./slice";

/** The first elements as exact text. */
export function Values({ slice, dtype }: { slice: Slice; dtype: DType }) {
  const { selection, head, itemsize, tooLarge } = slice;
  const { axes } = head.selection;
  if (tooLarge || axes.length === 0 || (axes.length > 2 && !slice.picture)) return null;
  const [rows, columns, channels] = axes as [Axis, Axis | undefined, Axis | undefined];
  const fields =
    axes.length === 1 && dtype.kind === "struct" ? dtype.fields.slice(0, COLUMNS) : null;
  const high = Math.min(ROWS, rows.length);
  const wide = columns ? Math.min(COLUMNS, columns.length) : 1;
  const depth = channels?.length ?? 1;
  const cell = (row: number, column: number): string => {
    const at = (row * (columns?.length ?? 1) + column) * depth * itemsize;
    const texts = Array.from({ length: depth }, (_, c) =>
      elementText(head.bytes, at + c * itemsize, dtype),
    );
    return channels ? `[${texts.join(", ")}]` : texts[0]!;
  };
  const line = (row: number): ComponentChildren => {
    if (fields) {
      return fields.map(field => (
        <td key={field.name}>
          {elementText(head.bytes, row * itemsize + field.offset, field.dtype)}
        </td>
      ));
    }
    return Array.from({ length: wide }, (_, column) => <td key={column}>{cell(row, column)}</td>);
  };
  const heads = fields?.map(field => field.name) ?? indices(columns, wide);
  const shown = high * wide * depth;
  const total = sizeOf(selection);
  return (
    <section aria-label="Values">
      <h2>Values</h2>
      <p class="quiet">
        {shown < total
          ? `The first ${grouped(shown)} of ${grouped(total)} elements`
          : `All ${plural(total, "element")}`}
        , exactly.
      </p>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keys. */}
      <section class="scroll tall" tabIndex={0} aria-label="Table of values">
        <table class="values">
          <thead>
            <tr>
              <th scope="col" class="corner">
                <span class="hidden">index</span>
              </th>
              {heads.map(name => (
                <th key={name} scope="col">
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {indices(rows, high).map((name, row) => (
              <tr key={name}>
                <th scope="row">{name}</th>
                {line(row)}
              </tr>
            ))}
          </tbody>
        </table>
      </section>
    </section>
  );
}

/** Indices in the array of the first elements along an axis. */
function indices(axis: Axis | undefined, length: number): string[] {
  if (!axis) return ["value"];
  return Array.from({ length }, (_, i) => grouped(axis.start + i * axis.step));
}
