import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { dateText, differenceText } from "../datetime";
import { isComplex, isFloat, type Leaf } from "../dtype";
import { numbers, type Part } from "../elements";
import { histogram } from "../histogram";
import { sizeOf } from "../index_text";
import { type All, readAll } from "../read_all";
import { ALL, describe } from "../sample";
import { Statistics } from "../statistics";
import { numberText, pointed } from "../text";
import { grouped, size } from "../units";
import { Histogram } from "./histogram";
import type { Slice } from "./slice";

interface Props {
  slice: Slice;
  leaf: Leaf;
  part: Part;
  /** Where all of the selection's elements are. */
  url: string;
}

/** Statistics and a histogram, of what was read or, when asked, of all. */
export function Summary({ slice, leaf, part, url }: Props) {
  const [all, setAll] = useState<All>();
  const [fraction, setFraction] = useState<number>();
  const [wrong, setWrong] = useState("");
  const control = useRef<AbortController>(undefined);
  const sampled = useMemo(() => summarise(slice, leaf, part), [slice, leaf, part]);
  const { statistics, bins } = all ?? sampled;
  const nbytes = sizeOf(slice.selection) * slice.itemsize;
  const of = describe(all ? { ...slice.sample, whole: true } : slice.sample, slice.selection);
  useEffect(() => () => control.current?.abort(), []);
  const start = async () => {
    control.current = new AbortController();
    setWrong("");
    setFraction(0);
    try {
      const found = await readAll({
        url,
        nbytes,
        itemsize: slice.itemsize,
        leaf,
        part,
        low: sampled.statistics.min,
        high: sampled.statistics.max,
        whole: isWhole(leaf),
        exact: exactly(slice.itemsize, leaf),
        signal: control.current.signal,
        onProgress: setFraction,
      });
      if (found.etag !== slice.etag) throw new Error("The file has changed since it was drawn.");
      setAll(found);
    } catch (error) {
      if (!control.current.signal.aborted) setWrong((error as Error).message);
    }
    setFraction(undefined);
  };
  return (
    <section class="summary" aria-label="Statistics">
      <h2>Statistics</h2>
      <p class="quiet">
        Of {of}
        {isComplex(leaf.dtype) && `, ${NAMES[part]}`}.
      </p>
      <Numbers statistics={statistics} leaf={leaf} />
      {!slice.sample.whole && !all && nbytes <= ALL && fraction === undefined && (
        <button type="button" onClick={start}>
          Read all {size(nbytes)}
        </button>
      )}
      {fraction !== undefined && (
        <p class="row">
          <progress max={1} value={fraction} aria-label="Read" />
          <span class="quiet">{Math.floor(100 * fraction)} %</span>
          <button type="button" onClick={() => control.current?.abort()}>
            Cancel
          </button>
        </p>
      )}
      {wrong && (
        <p class="wrong" role="alert">
          {wrong}
        </p>
      )}
      {bins && statistics.finite > 0 && <Histogram bins={bins} leaf={leaf} />}
    </section>
  );
}

function Numbers({ statistics, leaf }: { statistics: Statistics; leaf: Leaf }) {
  const { dtype } = leaf;
  const time = dtype.code === "M" || dtype.code === "m";
  const text = (value: number, exact?: bigint) => {
    if (time) {
      const ticks = exact ?? BigInt(Math.round(value));
      return dtype.code === "M" ? dateText(ticks, dtype) : differenceText(ticks, dtype);
    }
    if (exact !== undefined) return `${exact}`;
    // Parts of complex numbers are computed as doubles.
    return isComplex(dtype) ? pointed(value) : numberText(value, dtype);
  };
  const rows: [string, string][] = [["count", grouped(statistics.count)]];
  if (time || isFloat(dtype)) rows.push([time ? "NaT" : "NaN", grouped(statistics.nan)]);
  if (isFloat(dtype)) rows.push(["infinite", grouped(statistics.infinite)]);
  if (statistics.finite > 0) {
    rows.push(["min", text(statistics.min, statistics.exactMin)]);
    rows.push(["max", text(statistics.max, statistics.exactMax)]);
    rows.push(["mean", time ? text(statistics.mean) : pointed(statistics.mean)]);
    if (!time) rows.push(["std", pointed(statistics.deviation)]);
    if (!time) rows.push(["zeros", grouped(statistics.zeros)]);
  }
  return (
    <>
      <dl class="statistics">
        {rows.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd data-statistic={name}>{value}</dd>
          </div>
        ))}
      </dl>
      {statistics.finite < statistics.count && statistics.finite > 0 && (
        <p class="quiet">
          min, max, mean and std are of the {grouped(statistics.finite)} finite values.
        </p>
      )}
    </>
  );
}

function summarise(slice: Slice, leaf: Leaf, part: Part) {
  const values = numbers(slice.bytes, slice.itemsize, leaf, part);
  const statistics = new Statistics();
  statistics.add(values, exactly(slice.itemsize, leaf)?.(slice.bytes));
  const { min, max } = statistics;
  const spread = statistics.finite > 0 && Number.isFinite(max - min);
  const bins = spread ? histogram(values, min, max, isWhole(leaf)) : undefined;
  return { statistics, bins };
}

/** Reads integers of 64 bits, which doubles do not hold. */
function exactly(
  itemsize: number,
  leaf: Leaf,
): ((bytes: Uint8Array) => (i: number) => bigint) | undefined {
  const { code, little } = leaf.dtype;
  if (leaf.dtype.itemsize !== 8 || !"iuMm".includes(code)) return undefined;
  return bytes => {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return i => {
      const at = i * itemsize + leaf.offset;
      return code === "u" ? view.getBigUint64(at, little) : view.getBigInt64(at, little);
    };
  };
}

function isWhole(leaf: Leaf): boolean {
  return !isFloat(leaf.dtype);
}

const NAMES: Record<Part, string> = {
  abs: "their absolute value",
  real: "their real part",
  imag: "their imaginary part",
  phase: "their phase in radians",
};
