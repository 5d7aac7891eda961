import type { ArrayFacts } from "../api";
import { grouped, size } from "../units";

/** What the header of an array says. */
export function Facts({ facts }: { facts: ArrayFacts }) {
  const { chunks, stored_nbytes: stored } = facts;
  return (
    <dl class="facts">
      <Fact name="dtype" value={facts.dtype} long={facts.dtype.length > 40} />
      <Fact name="shape" value={shapeText(facts.shape)} />
      <Fact name="order" value={facts.order} />
      <Fact name="size" value={size(facts.nbytes)} title={`${grouped(facts.nbytes)} bytes`} />
      {chunks && (
        <Fact name="chunks" value={`${grouped(chunks.count)} of ${shapeText(chunks.shape)}`} />
      )}
      {chunks && <Fact name="codec" value={chunks.family} />}
      {stored !== undefined && (
        <Fact name="stored" value={size(stored)} title={`${grouped(stored)} bytes`} />
      )}
    </dl>
  );
}

interface FactProps {
  name: string;
  value: string;
  title?: string;
  /** Takes a line of its own. */
  long?: boolean;
}

function Fact({ name, value, title, long }: FactProps) {
  return (
    <div class={long ? "long" : undefined}>
      <dt>{name}</dt>
      <dd title={title}>{value}</dd>
    </div>
  );
}

/** As Python writes a tuple. */
export function shapeText(shape: number[]): string {
  return shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(", ")})`;
}
