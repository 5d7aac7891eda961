interface Props {
  /** What is under the cursor, if it is anywhere. */
  value: string | null;
  /** How to move it. */
  hint: string;
}

/** What a plot says of the place that one points at. */
export function Readout({ value, hint }: Props) {
  return (
    <figcaption>
      <output aria-live="polite">{value ?? <span class="hint">{hint}</span>}</output>
    </figcaption>
  );
}
