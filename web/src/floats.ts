/** Formats of floats that JavaScript has no array of. */
export interface Format {
  bytes: 1 | 2;
  exponent: number;
  mantissa: number;
  bias: number;
  /** `ieee`: the highest exponent is inf and NaN. `fn`: all ones are NaN. `fnuz`: only -0 is NaN. `finite`: none is. */
  special: "ieee" | "fn" | "fnuz" | "finite";
}

export const FORMATS: Record<string, Format> = {
  float16: { bytes: 2, exponent: 5, mantissa: 10, bias: 15, special: "ieee" },
  bfloat16: { bytes: 2, exponent: 8, mantissa: 7, bias: 127, special: "ieee" },
  float8_e5m2: { bytes: 1, exponent: 5, mantissa: 2, bias: 15, special: "ieee" },
  float8_e4m3: { bytes: 1, exponent: 4, mantissa: 3, bias: 7, special: "ieee" },
  float8_e3m4: { bytes: 1, exponent: 3, mantissa: 4, bias: 3, special: "ieee" },
  float8_e4m3fn: { bytes: 1, exponent: 4, mantissa: 3, bias: 7, special: "fn" },
  float8_e4m3fnuz: { bytes: 1, exponent: 4, mantissa: 3, bias: 8, special: "fnuz" },
  float8_e4m3b11fnuz: { bytes: 1, exponent: 4, mantissa: 3, bias: 11, special: "fnuz" },
  float8_e5m2fnuz: { bytes: 1, exponent: 5, mantissa: 2, bias: 16, special: "fnuz" },
  float6_e2m3fn: { bytes: 1, exponent: 2, mantissa: 3, bias: 1, special: "finite" },
  float6_e3m2fn: { bytes: 1, exponent: 3, mantissa: 2, bias: 3, special: "finite" },
  float4_e2m1fn: { bytes: 1, exponent: 2, mantissa: 1, bias: 1, special: "finite" },
};

/** What each pattern of bits means, made once for each format. */
export function table(name: string): Float64Array {
  let values = tables.get(name);
  if (!values) {
    values = name === "float8_e8m0fnu" ? powers() : expand(FORMATS[name]!);
    tables.set(name, values);
  }
  return values;
}

const tables = new Map<string, Float64Array>();

function expand(format: Format): Float64Array {
  const values = new Float64Array(1 << (8 * format.bytes));
  const { exponent: wide, mantissa: bits, bias, special } = format;
  const top = (1 << wide) - 1;
  const sign = 1 << (wide + bits);
  for (let pattern = 0; pattern < values.length; pattern++) {
    const exponent = (pattern >> bits) & top;
    const mantissa = pattern & ((1 << bits) - 1);
    let value =
      exponent === 0
        ? mantissa * 2 ** (1 - bias - bits)
        : (mantissa + 2 ** bits) * 2 ** (exponent - bias - bits);
    if (special === "ieee" && exponent === top) value = mantissa ? Number.NaN : Infinity;
    if (special === "fn" && (pattern & (sign - 1)) === sign - 1) value = Number.NaN;
    if (pattern & sign) value = special === "fnuz" && value === 0 ? Number.NaN : -value;
    values[pattern] = value;
  }
  return values;
}

/** `float8_e8m0fnu` has neither sign nor mantissa. */
function powers(): Float64Array {
  return Float64Array.from({ length: 256 }, (_, i) => (i === 255 ? Number.NaN : 2 ** (i - 127)));
}

/** An 80-bit float of x86, as the nearest double. */
export function extended(low: number, high: number, signExponent: number): number {
  const sign = signExponent & 0x8000 ? -1 : 1;
  const exponent = signExponent & 0x7fff;
  if (exponent === 0x7fff) {
    return (high & 0x7fffffff) === 0 && low === 0 ? sign * Infinity : Number.NaN;
  }
  // One rounding: the sum of both halves. Of what is below a double's normal numbers, two.
  const mantissa = high * 2 ** 32 + low;
  const scale = exponent - 16383 - 63;
  return sign * scaled(mantissa, scale);
}

/** `x * 2 ** n`, where the power alone would overflow. */
function scaled(x: number, n: number): number {
  if (n > 900) return x * 2 ** 900 * 2 ** Math.min(n - 900, 900);
  if (n < -900) return x * 2 ** -900 * 2 ** Math.max(n + 900, -1000);
  return x * 2 ** n;
}
