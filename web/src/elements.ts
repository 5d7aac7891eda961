import { isComplex, type Leaf, type Scalar } from "./dtype";
import { extended, table } from "./floats";

/** Elements as numbers: a view of the bytes where JavaScript has such an array. */
export type Numbers =
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | Float32Array
  | Float64Array;

/** What is drawn of a complex number. */
export type Part = "abs" | "real" | "imag" | "phase";

export const PARTS: Part[] = ["abs", "real", "imag", "phase"];

/** The numbers at `leaf` of all elements; dates that are NaT are NaN. */
export function numbers(bytes: Uint8Array, itemsize: number, leaf: Leaf, part: Part): Numbers {
  const count = Math.floor(bytes.length / itemsize);
  const { dtype } = leaf;
  if (leaf.offset === 0 && itemsize === dtype.itemsize) {
    const view = native(bytes, dtype, count);
    if (view) return view;
  }
  const read = reader(dtype, new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), part);
  const values = new Float64Array(count);
  for (let i = 0, at = leaf.offset; i < count; i++, at += itemsize) values[i] = read(at);
  return values;
}

function native(bytes: Uint8Array, dtype: Scalar, count: number): Numbers | undefined {
  const Kind = NATIVE[dtype.code + dtype.itemsize];
  if (!Kind || (!dtype.little && dtype.itemsize > 1)) return undefined;
  const aligned = bytes.byteOffset % dtype.itemsize === 0 ? bytes : bytes.slice();
  return new Kind(aligned.buffer as ArrayBuffer, aligned.byteOffset, count);
}

// All machines with a browser are little-endian.
const NATIVE: Record<string, new (buffer: ArrayBuffer, at: number, count: number) => Numbers> = {
  b1: Uint8Array,
  i1: Int8Array,
  u1: Uint8Array,
  i2: Int16Array,
  u2: Uint16Array,
  i4: Int32Array,
  u4: Uint32Array,
  f4: Float32Array,
  f8: Float64Array,
};

type Read = (at: number) => number;

/** Reads a number of this dtype at a byte. */
export function reader(dtype: Scalar, view: DataView, part: Part): Read {
  if (isComplex(dtype)) return complexReader(dtype, view, part);
  const { code, little, itemsize } = dtype;
  switch (code) {
    case "b":
    case "u":
      return unsigned(view, itemsize, little);
    case "i":
      return signed(view, itemsize, little);
    case "M":
    case "m":
      return at => {
        const value = view.getBigInt64(at, little);
        return value === NAT ? Number.NaN : Number(value);
      };
    case "f":
      return float(view, itemsize, little);
    case "e":
      return small(dtype, view);
    default:
      throw new Error("no number");
  }
}

/** The parts of a complex dtype. */
export function componentOf(dtype: Scalar): Scalar {
  const itemsize = dtype.itemsize / 2;
  if (dtype.code === "c") return { ...dtype, code: "f", itemsize };
  if (dtype.name === "bcomplex32") return { ...dtype, name: "bfloat16", itemsize };
  return { ...dtype, code: "f", name: "", itemsize };
}

function complexReader(dtype: Scalar, view: DataView, part: Part): Read {
  const component = componentOf(dtype);
  const read = reader(component, view, part);
  const { itemsize } = component;
  switch (part) {
    case "real":
      return read;
    case "imag":
      return at => read(at + itemsize);
    case "phase":
      return at => Math.atan2(read(at + itemsize), read(at));
    default:
      return at => Math.hypot(read(at), read(at + itemsize));
  }
}

function unsigned(view: DataView, itemsize: number, little: boolean): Read {
  if (itemsize === 1) return at => view.getUint8(at);
  if (itemsize === 2) return at => view.getUint16(at, little);
  if (itemsize === 4) return at => view.getUint32(at, little);
  // A sum of two exact halves is rounded once.
  const [high, low] = little ? [4, 0] : [0, 4];
  return at => view.getUint32(at + high, little) * 2 ** 32 + view.getUint32(at + low, little);
}

function signed(view: DataView, itemsize: number, little: boolean): Read {
  if (itemsize === 1) return at => view.getInt8(at);
  if (itemsize === 2) return at => view.getInt16(at, little);
  if (itemsize === 4) return at => view.getInt32(at, little);
  const [high, low] = little ? [4, 0] : [0, 4];
  return at => view.getInt32(at + high, little) * 2 ** 32 + view.getUint32(at + low, little);
}

function float(view: DataView, itemsize: number, little: boolean): Read {
  if (itemsize === 2) {
    const values = table("float16");
    return at => values[view.getUint16(at, little)]!;
  }
  if (itemsize === 4) return at => view.getFloat32(at, little);
  if (itemsize === 8) return at => view.getFloat64(at, little);
  return at => {
    const { low, high, top } = extendedWords(view, at, itemsize, little);
    return extended(low, high, top);
  };
}

/** An 80-bit float within 12 or 16 bytes: its mantissa's halves, and sign with exponent. */
export function extendedWords(view: DataView, at: number, itemsize: number, little: boolean) {
  if (little) {
    const [low, high] = [view.getUint32(at, true), view.getUint32(at + 4, true)];
    return { low, high, top: view.getUint16(at + 8, true) };
  }
  const end = at + itemsize;
  const [low, high] = [view.getUint32(end - 4), view.getUint32(end - 8)];
  return { low, high, top: view.getUint16(end - 10) };
}

function small(dtype: Scalar, view: DataView): Read {
  const { name, little } = dtype;
  if (name === "bfloat16") {
    const values = table(name);
    return at => values[view.getUint16(at, little)]!;
  }
  const whole = /^(u?)int([124])$/.exec(name);
  if (whole) {
    const shift = 32 - Number(whole[2]);
    if (whole[1]) return at => (view.getUint8(at) << shift) >>> shift;
    return at => (view.getUint8(at) << shift) >> shift;
  }
  const values = table(name);
  // Formats of 4 and 6 bits are in the low bits of a byte.
  const mask = name.startsWith("float4") ? 15 : name.startsWith("float6") ? 63 : 255;
  return at => values[view.getUint8(at) & mask]!;
}

export const NAT = -(2n ** 63n);
