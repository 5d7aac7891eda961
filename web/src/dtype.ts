import { type Literal, parseLiteral, Tuple } from "./literal";

/** What an element is; the text is that of the server, which is NumPy's with names of `ml_dtypes`. */
export type DType = Scalar | Struct | SubArray;

export interface Scalar {
  kind: "scalar";
  /** NumPy's letter, or "e" for a type of `ml_dtypes`, which `name` says. */
  code: "b" | "i" | "u" | "f" | "c" | "M" | "m" | "S" | "U" | "V" | "e";
  itemsize: number;
  little: boolean;
  /** The unit of a date or difference, with its multiplier; "" for one without. */
  unit: string;
  count: number;
  name: string;
}

export interface Struct {
  kind: "struct";
  fields: Field[];
  itemsize: number;
}

export interface Field {
  name: string;
  offset: number;
  dtype: DType;
}

export interface SubArray {
  kind: "subarray";
  base: DType;
  shape: number[];
  itemsize: number;
}

/** A scalar that can be drawn, and where it is in an element. */
export interface Leaf {
  /** Such as `pos.x` or `rgb[0]`; "" where the element is the scalar. */
  path: string;
  offset: number;
  dtype: Scalar;
}

export function parseDType(text: string): DType {
  const literal = /^[[{('"]/.test(text) ? parseLiteral(text) : text;
  return fromLiteral(literal);
}

/** Whether an element has a number that can be drawn. */
export function isNumeric(dtype: Scalar): boolean {
  return "biufcMme".includes(dtype.code);
}

export function isComplex(dtype: Scalar): boolean {
  return dtype.code === "c" || (dtype.code === "e" && dtype.name.includes("complex"));
}

export function isFloat(dtype: Scalar): boolean {
  return (
    dtype.code === "f" || isComplex(dtype) || (dtype.code === "e" && !/^u?int/.test(dtype.name))
  );
}

/** The numbers of an element that can be drawn, at most `most` of them. */
export function leaves(dtype: DType, most = 200): Leaf[] {
  const found: Leaf[] = [];
  walk(dtype, "", 0);
  return found;

  function walk(dtype: DType, path: string, offset: number) {
    if (found.length >= most) return;
    if (dtype.kind === "scalar") {
      if (isNumeric(dtype)) found.push({ path, offset, dtype });
    } else if (dtype.kind === "struct") {
      for (const field of dtype.fields) {
        walk(field.dtype, path ? `${path}.${field.name}` : field.name, offset + field.offset);
      }
    } else {
      const size = dtype.shape.reduce((a, b) => a * b, 1);
      const index = dtype.shape.map(() => 0);
      for (let i = 0; i < size && found.length < most; i++) {
        walk(dtype.base, `${path}[${index.join(", ")}]`, offset + i * dtype.base.itemsize);
        for (let axis = index.length - 1; axis >= 0; axis--) {
          index[axis]!++;
          if (index[axis]! < dtype.shape[axis]!) break;
          index[axis] = 0;
        }
      }
    }
  }
}

function fromLiteral(literal: Literal): DType {
  if (typeof literal === "string") return scalar(literal);
  if (literal instanceof Tuple) return subarray(literal.items[0]!, literal.items[1]!);
  if (literal instanceof Map) return fromMap(literal);
  if (Array.isArray(literal)) return fromFields(literal);
  throw new Error("no dtype");
}

function subarray(base: Literal, shape: Literal): DType {
  const lengths = typeof shape === "number" ? [shape] : ((shape as Tuple).items as number[]);
  const dtype = fromLiteral(base);
  const itemsize = lengths.reduce((a, b) => a * b, dtype.itemsize);
  return lengths.length ? { kind: "subarray", base: dtype, shape: lengths, itemsize } : dtype;
}

function fromFields(literals: Literal[]): Struct {
  const fields: Field[] = [];
  let offset = 0;
  for (const literal of literals) {
    if (!(literal instanceof Tuple)) throw new Error("no field");
    const [title, format, shape] = literal.items;
    const name = title instanceof Tuple ? title.items[1] : title;
    const dtype = shape === undefined ? fromLiteral(format!) : subarray(format!, shape);
    // A gap has no name.
    if (name !== "") fields.push({ name: String(name), offset, dtype });
    offset += dtype.itemsize;
  }
  return { kind: "struct", fields, itemsize: offset };
}

function fromMap(map: Map<string, Literal>): Struct {
  const list = (key: string) => map.get(key) as Literal[];
  const fields = list("names").map((name, i) => ({
    name: String(name),
    offset: list("offsets")[i] as number,
    dtype: fromLiteral(list("formats")[i]!),
  }));
  return { kind: "struct", fields, itemsize: map.get("itemsize") as number };
}

function scalar(text: string): Scalar {
  const [, order, rest] = /^([<>|=]?)(.*)$/s.exec(text) as unknown as [string, string, string];
  const little = order !== ">";
  const small = SMALL[rest];
  const base = { kind: "scalar", little, unit: "", count: 1, name: "" } as const;
  if (small) return { ...base, code: "e", itemsize: small, name: rest };
  const date = /^([Mm])8(?:\[(\d*)([a-zA-Zμ]+)\])?$/.exec(rest);
  if (date) {
    const [, code, count, unit] = date;
    const generic = unit === undefined || unit === "generic";
    return {
      ...base,
      code: code as "M" | "m",
      itemsize: 8,
      unit: generic ? "" : unit,
      count: Number(count || 1),
    };
  }
  const plain = /^([biufcSUV])(\d+)$/.exec(rest);
  if (!plain) throw new Error(`a dtype that this page does not know: ${text}`);
  const code = plain[1] as Scalar["code"];
  const n = Number(plain[2]);
  return { ...base, code, itemsize: code === "U" ? 4 * n : n };
}

/** Sizes of the types of `ml_dtypes`. Those of 4 bits and fewer take a byte each. */
const SMALL: Record<string, number> = {
  bfloat16: 2,
  complex32: 4,
  bcomplex32: 4,
  ...Object.fromEntries(
    [
      "float4_e2m1fn",
      "float6_e2m3fn",
      "float6_e3m2fn",
      "float8_e3m4",
      "float8_e4m3",
      "float8_e4m3b11fnuz",
      "float8_e4m3fn",
      "float8_e4m3fnuz",
      "float8_e5m2",
      "float8_e5m2fnuz",
      "float8_e8m0fnu",
      "int1",
      "int2",
      "int4",
      "uint1",
      "uint2",
      "uint4",
    ].map(name => [name, 1]),
  ),
};
