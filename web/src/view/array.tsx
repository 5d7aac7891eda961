import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { type ArrayFacts, arrayUrl } from "../api";
import { type DType, isComplex, type Leaf, leaves, parseDType } from "../dtype";
import { PARTS, type Part } from "../elements";
import { defaultIndex, type Selection, select, shapeOf, sizeOf, toText } from "../index_text";
import type { Query } from "../route";
import { describe, sample } from "../sample";
import { grouped, size } from "../units";
import { Download } from "./download";
import { Drawing } from "./drawing";
import { Facts } from "./facts";
import { Failure } from "./failure";
import { IndexForm } from "./index_form";
import { useLoaded } from "./loading";
import { Changed, loadSlice, type Slice } from "./slice";
import { Sliders } from "./sliders";
import { Summary } from "./summary";
import { Values } from "./values";

interface Props {
  path: string;
  name: string;
  facts: ArrayFacts;
  query: Query;
  change: (change: Partial<Query>, replace?: boolean) => void;
  /** Reads the facts anew. */
  again: () => void;
}

export function ArrayView({ path, name, facts, query, change, again }: Props) {
  const [dtype, unknown] = useMemo(() => known(facts), [facts.dtype]);
  const places = useMemo(() => leaves(dtype), [dtype]);
  const text = query.slice ?? defaultIndex(facts.shape, isPicture(facts.dtype, facts.shape));
  const [selection, wrong] = useMemo(() => selected(text, facts.shape), [text, facts.shape]);
  const leaf = places.find(each => each.path === query.field) ?? places[0];
  const part = PARTS.find(each => each === query.part) ?? "abs";
  const source = { path, member: query.member };
  const title = query.member ?? name;
  const set = (slice: string, replace = false) => change({ slice }, replace);
  return (
    <>
      <div class="head">
        <h1>{title}</h1>
        {query.member && <a href={location.pathname}>all members of {name}</a>}
      </div>
      <Facts facts={facts} />
      {unknown && <p class="note">{unknown} It is shown as bytes.</p>}
      <div class="controls">
        <IndexForm text={text} wrong={wrong} set={set} />
        {places.length > 1 && leaf && (
          <Choice
            id="field"
            label="Field"
            value={leaf.path}
            values={places.map(each => each.path)}
            set={field => change({ field })}
          />
        )}
        {leaf && isComplex(leaf.dtype) && (
          <Choice
            id="part"
            label="Part"
            value={part}
            values={PARTS}
            set={part => change({ part })}
          />
        )}
      </div>
      {selection && (
        <>
          <Sliders selection={selection} set={index => set(index, true)} />
          <Elements
            key={`${path} ${query.member}`}
            source={source}
            facts={facts}
            dtype={dtype}
            selection={selection}
            leaf={leaf}
            part={part}
            set={set}
            again={again}
          />
          <Downloads source={source} name={title} selection={selection} facts={facts} />
        </>
      )}
    </>
  );
}

interface ElementsProps {
  source: { path: string; member: string | null };
  facts: ArrayFacts;
  dtype: DType;
  selection: Selection;
  leaf: Leaf | undefined;
  part: Part;
  set: (slice: string) => void;
  again: () => void;
}

/** What a selection holds: drawn, counted and listed. */
function Elements({ source, facts, dtype, selection, leaf, part, set, again }: ElementsProps) {
  const [changed, setChanged] = useState(false);
  const picture = selection.axes.length === 3 && isPicture(facts.dtype, shapeOf(selection));
  // Only of bytes that are in the file as they are it is said where.
  const strided = facts.data_offset !== undefined;
  const key = `${toText(selection)} ${facts.etag}`;
  const loaded = useLoaded<Slice>(key, signal =>
    loadSlice({ ...source, selection, dtype, picture, strided }, signal),
  );
  const slice = loaded.value;
  const other = !loaded.busy && slice !== undefined && !slice.tooLarge && slice.etag !== facts.etag;
  const anew = other || loaded.error instanceof Changed;
  const asked = useRef("");
  useEffect(() => setChanged(false), [toText(selection)]);
  useEffect(() => {
    // Once for each version, or a file that never rests would be asked for without end.
    if (!anew || asked.current === facts.etag) return;
    asked.current = facts.etag;
    setChanged(true);
    again();
  }, [anew]);
  if (loaded.error) return <Failure error={loaded.error} again={loaded.again} />;
  const reading = sample(selection, facts.itemsize, picture, strided);
  const status = loaded.busy
    ? `Reading ${size(reading.nbytes)} …`
    : `Drawn from ${describe(reading, selection)}.`;
  return (
    <div class={loaded.busy ? "elements busy" : "elements"} aria-busy={loaded.busy}>
      <p class="quiet status" role="status">
        {changed && "The file has changed: its facts were read anew. "}
        {sizeOf(selection) === 0 ? "There are no elements." : !slice?.tooLarge && status}
      </p>
      {slice && sizeOf(slice.selection) > 0 && (
        <>
          <div class="columns">
            <Drawing slice={slice} dtype={dtype} leaf={leaf} part={part} set={set} />
            {leaf && !slice.tooLarge && slice.selection.axes.length > 0 && (
              <Summary
                key={`${slice.key} ${leaf.path} ${part}`}
                slice={slice}
                leaf={leaf}
                part={part}
                url={arrayUrl(source.path, {
                  member: source.member,
                  slice: toText(slice.selection),
                  format: "raw",
                })}
              />
            )}
          </div>
          <Values slice={slice} dtype={dtype} />
        </>
      )}
    </div>
  );
}

interface ChoiceProps {
  id: string;
  label: string;
  value: string;
  values: string[];
  set: (value: string) => void;
}

function Choice({ id, label, value, values, set }: ChoiceProps) {
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <select id={id} value={value} onChange={event => set(event.currentTarget.value)}>
        {values.map(each => (
          <option key={each} value={each}>
            {each}
          </option>
        ))}
      </select>
    </div>
  );
}

interface DownloadsProps {
  source: { path: string; member: string | null };
  name: string;
  selection: Selection;
  facts: ArrayFacts;
}

function Downloads({ source, name, selection, facts }: DownloadsProps) {
  const nbytes = sizeOf(selection) * facts.itemsize;
  const stem = name.replace(/\.(npy|ndb|npz)$/, "");
  const slice = toText(selection);
  // A frame is made in memory, so the server makes no greater ones.
  const formats = nbytes <= 256 << 20 ? ["npy", "ndb", "raw"] : ["npy", "raw"];
  return (
    <p class="downloads">
      <span>Download the slice ({size(nbytes)}):</span>
      {formats.map(format => (
        <Download
          key={format}
          href={arrayUrl(source.path, { member: source.member, slice, format })}
          name={`${stem}.${format === "raw" ? "bin" : format}`}
          title={`${grouped(nbytes)} bytes of elements`}
        >
          {format === "raw" ? "raw bytes" : `.${format}`}
        </Download>
      ))}
      <Download href={facts.file} name={facts.file.split("/").at(-1)!}>
        the whole file
      </Download>
    </p>
  );
}

function isPicture(dtype: string, shape: number[]): boolean {
  const last = shape.at(-1);
  return /^[|<>]?u1$/.test(dtype) && shape.length >= 3 && (last === 3 || last === 4);
}

function known(facts: ArrayFacts): [DType, string] {
  try {
    const dtype = parseDType(facts.dtype);
    if (dtype.itemsize === facts.itemsize) return [dtype, ""];
  } catch {
    // Told below.
  }
  return [parseDType(`|V${facts.itemsize}`), `This page does not know the dtype ${facts.dtype}.`];
}

function selected(text: string, shape: number[]): [Selection | undefined, string] {
  try {
    return [select(text, shape), ""];
  } catch (error) {
    return [undefined, (error as Error).message];
  }
}
