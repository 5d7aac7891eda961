import { arrayUrl, type Raw, raw } from "../api";
import type { DType } from "../dtype";
import { type Selection, shapeOf, sizeOf, toText } from "../index_text";
import { toC } from "../order";
import { corner, type Sample, sample, WHOLE } from "../sample";

/** Elements that were read for a selection, in C order. */
export interface Slice {
  key: string;
  selection: Selection;
  picture: boolean;
  sample: Sample;
  bytes: Uint8Array;
  itemsize: number;
  /** The first rows and columns, for the table. */
  head: { selection: Selection; bytes: Uint8Array };
  etag: string;
  /** Not even one element can be shown. */
  tooLarge: boolean;
}

/** The file is not the one whose facts were read. */
export class Changed extends Error {
  constructor() {
    super("The file has changed while it was read.");
  }
}

interface Wanted {
  path: string;
  member: string | null;
  selection: Selection;
  dtype: DType;
  picture: boolean;
  /** Elements can be read one by one. */
  strided: boolean;
}

export async function loadSlice(wanted: Wanted, signal: AbortSignal): Promise<Slice> {
  const { path, member, selection, dtype, picture } = wanted;
  const { itemsize } = dtype;
  const reading = sample(selection, itemsize, picture, wanted.strided);
  // A table of great elements has few of them.
  const most = Math.max(1, Math.floor((1 << 20) / Math.max(1, itemsize)));
  const columns = Math.min(COLUMNS, most);
  const head = corner(selection, Math.min(ROWS, Math.ceil(most / columns)), columns);
  const none = { bytes: new Uint8Array(), etag: "" };
  const tooLarge = itemsize > WHOLE;
  const ask = async (part: Selection): Promise<{ bytes: Uint8Array; etag: string }> => {
    const url = arrayUrl(path, { member, slice: toText(part), format: "raw" });
    return inC(await raw(url, signal), part, itemsize);
  };
  const drawn = tooLarge ? none : await ask(reading.selection);
  const untold = selection.axes.length > 2 && !picture;
  const whole = reading.whole || tooLarge || untold;
  const first = whole ? drawn : await ask(head);
  if (first.etag !== drawn.etag) throw new Changed();
  return {
    key: toText(selection),
    selection,
    picture,
    sample: reading,
    bytes: drawn.bytes,
    itemsize,
    head: { selection: whole ? reading.selection : head, bytes: first.bytes },
    etag: drawn.etag,
    tooLarge,
  };
}

function inC(answer: Raw, part: Selection, itemsize: number): { bytes: Uint8Array; etag: string } {
  const shape = shapeOf(part);
  if (answer.shape.join() !== shape.join() || answer.bytes.length !== sizeOf(part) * itemsize) {
    throw new Changed();
  }
  const bytes = answer.order === "F" ? toC(answer.bytes, shape, itemsize) : answer.bytes;
  return { bytes, etag: answer.etag };
}

export const ROWS = 100;
export const COLUMNS = 20;
