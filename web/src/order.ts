/** Elements in Fortran order, put in C order. */
export function toC(bytes: Uint8Array, shape: number[], itemsize: number): Uint8Array {
  if (shape.filter(length => length !== 1).length < 2) return bytes;
  const out = new Uint8Array(bytes.length);
  const index = shape.map(() => 0);
  const strides: number[] = [];
  shape.reduce((stride, length) => {
    strides.push(stride);
    return stride * length;
  }, itemsize);
  let from = 0;
  for (let to = 0; to < out.length; to += itemsize) {
    for (let b = 0; b < itemsize; b++) out[to + b] = bytes[from + b]!;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += strides[axis]!;
      if (++index[axis]! < shape[axis]!) break;
      from -= strides[axis]! * shape[axis]!;
      index[axis] = 0;
    }
  }
  return out;
}
