/** Elements as exact text: floats are the shortest that reads back the same. */
import { dateText, differenceText } from "./datetime";
import type { DType, Scalar } from "./dtype";
import { isComplex, isFloat } from "./dtype";
import { componentOf, extendedWords, reader } from "./elements";
import { FORMATS, type Format } from "./floats";

export function elementText(bytes: Uint8Array, at: number, dtype: DType): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return text(view, at, dtype);
}

function text(view: DataView, at: number, dtype: DType): string {
  switch (dtype.kind) {
    case "scalar":
      return scalarText(view, at, dtype);
    case "struct": {
      const parts = dtype.fields.map(field => text(view, at + field.offset, field.dtype));
      return parts.length === 1 ? `(${parts[0]},)` : `(${parts.join(", ")})`;
    }
    case "subarray":
      return nested(view, at, dtype.base, dtype.shape);
  }
}

function nested(view: DataView, at: number, base: DType, shape: number[]): string {
  const [length, ...rest] = shape;
  if (length === undefined) return text(view, at, base);
  const size = rest.reduce((a, b) => a * b, base.itemsize);
  const shown = Math.min(length, MOST_ITEMS);
  const parts = Array.from({ length: shown }, (_, i) => nested(view, at + i * size, base, rest));
  if (shown < length) parts.push("…");
  return `[${parts.join(", ")}]`;
}

function scalarText(view: DataView, at: number, dtype: Scalar): string {
  const { code, little, itemsize } = dtype;
  switch (code) {
    case "b":
      return view.getUint8(at) ? "True" : "False";
    case "i":
      return itemsize === 8
        ? view.getBigInt64(at, little).toString()
        : `${reader(dtype, view, "real")(at)}`;
    case "u":
      return itemsize === 8
        ? view.getBigUint64(at, little).toString()
        : `${reader(dtype, view, "real")(at)}`;
    case "M":
      return dateText(view.getBigInt64(at, little), dtype);
    case "m":
      return differenceText(view.getBigInt64(at, little), dtype);
    case "S":
      return bytesText(new Uint8Array(view.buffer, view.byteOffset + at, itemsize));
    case "U":
      return stringText(view, at, dtype);
    case "V":
      return hex(new Uint8Array(view.buffer, view.byteOffset + at, itemsize));
    default:
      return isComplex(dtype) ? complexText(view, at, dtype) : floatText(view, at, dtype);
  }
}

function complexText(view: DataView, at: number, dtype: Scalar): string {
  const part = componentOf(dtype);
  const imaginary = floatText(view, at + part.itemsize, part);
  const sign = imaginary.startsWith("-") ? "" : "+";
  return `${floatText(view, at, part)}${sign}${imaginary}j`;
}

/** A number of this dtype that has been read as a double. */
export function numberText(value: number, dtype: Scalar): string {
  const whole = Number.isInteger(value) && !isFloat(dtype);
  if (whole) return `${value}`;
  if (!Number.isFinite(value) || value === 0) return pointed(value);
  if (dtype.code === "f" && dtype.itemsize === 4) return shortest(value, Math.fround);
  const format = FORMATS[dtype.code === "f" && dtype.itemsize === 2 ? "float16" : dtype.name];
  return format ? shortest(value, x => rounded(x, format)) : pointed(value);
}

function floatText(view: DataView, at: number, dtype: Scalar): string {
  const value = reader(dtype, view, "real")(at);
  if (dtype.itemsize > 8) {
    const { low, high, top } = extendedWords(view, at, dtype.itemsize, dtype.little);
    if ((top & 0x7fff) === 0x7fff || (low === 0 && high === 0)) return pointed(value);
    return extendedText((BigInt(high) << 32n) | BigInt(low), top);
  }
  return numberText(value, dtype);
}

/** The fewest digits that the format reads back as the same value. */
function shortest(value: number, round: (x: number) => number): string {
  for (let digits = 1; digits < 17; digits++) {
    const near = Number(value.toPrecision(digits));
    if (round(near) === value) return pointed(near);
  }
  return pointed(value);
}

/** The value of a format that is nearest to `x`, of which an overflow is none. */
function rounded(x: number, format: Format): number {
  const exponent = Math.max(Math.floor(Math.log2(Math.abs(x))), 1 - format.bias);
  const quantum = 2 ** (exponent - format.mantissa);
  const units = x / quantum;
  const floor = Math.floor(units);
  const rest = units - floor;
  const up = rest > 0.5 || (rest === 0.5 && floor % 2 !== 0);
  return (floor + (up ? 1 : 0)) * quantum;
}

/** A double as Python writes it, with a point or an exponent. */
export function pointed(value: number): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  const tiny = value !== 0 && Math.abs(value) < 1e-4;
  const digits = Object.is(value, -0) ? "-0" : tiny ? value.toExponential() : `${value}`;
  return /[.e]/.test(digits) ? digits : `${digits}.0`;
}

/** An 80-bit float: its mantissa times a power of two, in the fewest digits that read back. */
function extendedText(mantissa: bigint, signExponent: number): string {
  const sign = signExponent & 0x8000 ? "-" : "";
  const power = Math.max(signExponent & 0x7fff, 1) - 16383 - 63;
  // The value and half the step to its neighbours as fractions of one denominator.
  const [scale, denominator] =
    power >= 0 ? [2n ** BigInt(power), 2n] : [1n, 2n ** BigInt(1 - power)];
  const value = 2n * mantissa * scale;
  for (let digits = 1; ; digits++) {
    const [decimal, exponent] = toDigits(value, denominator, digits);
    const ten = 10n ** BigInt(Math.abs(exponent));
    const [near, unit] =
      exponent >= 0 ? [decimal * ten * denominator, 1n] : [decimal * denominator, ten];
    const distance = near - value * unit;
    // Below a power of two the steps are half as long.
    const narrow = distance < 0n && mantissa === 1n << 63n ? 2n : 1n;
    if ((distance < 0n ? -distance : distance) * narrow < scale * unit || digits === 21) {
      return sign + decimalText(decimal.toString(), exponent);
    }
  }
}

/** `value / denominator` as an integer of so many digits times a power of ten. */
function toDigits(value: bigint, denominator: bigint, digits: number): [bigint, number] {
  const estimate = value.toString().length - denominator.toString().length;
  for (let exponent = estimate - digits - 1; ; exponent++) {
    const ten = 10n ** BigInt(Math.abs(exponent));
    const [top, bottom] = exponent >= 0 ? [value, denominator * ten] : [value * ten, denominator];
    const decimal = (2n * top + bottom) / (2n * bottom);
    if (decimal < 10n ** BigInt(digits)) return [decimal, exponent];
  }
}

function decimalText(digits: string, exponent: number): string {
  const trimmed = digits.replace(/0+$/, "");
  const point = digits.length + exponent;
  if (point > 21 || point < -3) {
    const tail = trimmed.length > 1 ? `.${trimmed.slice(1)}` : "";
    return `${trimmed[0]}${tail}e${point > 0 ? "+" : ""}${point - 1}`;
  }
  if (point <= 0) return `0.${"0".repeat(-point)}${trimmed}`;
  const padded = trimmed.padEnd(point, "0");
  return `${padded.slice(0, point)}.${padded.slice(point) || "0"}`;
}

function bytesText(bytes: Uint8Array): string {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end--;
  let out = "";
  for (const byte of bytes.subarray(0, Math.min(end, MOST_CHARACTERS))) {
    const c = String.fromCharCode(byte);
    if (c === "'" || c === "\\") out += `\\${c}`;
    else if (byte < 32 || byte > 126) out += `\\x${byte.toString(16).padStart(2, "0")}`;
    else out += c;
  }
  return `b'${out}'${end > MOST_CHARACTERS ? "…" : ""}`;
}

function stringText(view: DataView, at: number, dtype: Scalar): string {
  let out = "";
  let length = dtype.itemsize / 4;
  while (length > 0 && view.getUint32(at + 4 * (length - 1), dtype.little) === 0) length--;
  for (let i = 0; i < Math.min(length, MOST_CHARACTERS); i++) {
    const point = view.getUint32(at + 4 * i, dtype.little);
    if (point === 39 || point === 92) out += `\\${String.fromCharCode(point)}`;
    else if (point < 32 || point === 127) out += `\\x${point.toString(16).padStart(2, "0")}`;
    else if (point > 0x10ffff) out += `\\U${point.toString(16).padStart(8, "0")}`;
    else out += String.fromCodePoint(point);
  }
  return `'${out}'${length > MOST_CHARACTERS ? "…" : ""}`;
}

function hex(bytes: Uint8Array): string {
  let out = "";
  for (const byte of bytes.subarray(0, MOST_CHARACTERS)) out += byte.toString(16).padStart(2, "0");
  return (out || "(no bytes)") + (bytes.length > MOST_CHARACTERS ? "…" : "");
}

/** What one cell of a table has room for. */
const MOST_CHARACTERS = 200;
const MOST_ITEMS = 16;
