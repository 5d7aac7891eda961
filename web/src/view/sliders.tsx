import { useEffect, useRef, useState } from "preact/hooks";
import { type Fixed, type Selection, toText } from "../index_text";
import { grouped } from "../units";

interface Props {
  selection: Selection;
  set: (index: string) => void;
}

/** Steps through the axes that an integer fixes. */
export function Sliders({ selection, set }: Props) {
  const axes = selection.fixed.filter(each => selection.shape[each.axis]! > 1);
  if (axes.length === 0) return null;
  const step = (axis: number, index: number) => {
    const fixed = selection.fixed.map(each => (each.axis === axis ? { axis, index } : each));
    set(toText({ ...selection, fixed }));
  };
  return (
    <div class="sliders">
      {axes.map(each => (
        <Slider key={each.axis} fixed={each} length={selection.shape[each.axis]!} set={step} />
      ))}
    </div>
  );
}

interface SliderProps {
  fixed: Fixed;
  length: number;
  set: (axis: number, index: number) => void;
}

function Slider({ fixed, length, set }: SliderProps) {
  const { axis, index } = fixed;
  const [now, keep] = useState(index);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => keep(index), [index]);
  useEffect(() => () => clearTimeout(timer.current), []);
  const move = (event: { currentTarget: HTMLInputElement }) => {
    const value = event.currentTarget.valueAsNumber;
    if (!Number.isInteger(value) || value < 0 || value >= length) return;
    keep(value);
    // Each index is asked for when the hand rests, not at every step on its way.
    clearTimeout(timer.current);
    timer.current = setTimeout(() => set(axis, value), REST);
  };
  const id = `axis-${axis}`;
  return (
    <div class="slider">
      <label for={id}>axis {axis}</label>
      <input id={id} type="range" min={0} max={length - 1} step={1} value={now} onInput={move} />
      <input
        type="number"
        aria-label={`Index of axis ${axis}`}
        min={0}
        max={length - 1}
        step={1}
        value={now}
        onInput={move}
      />
      <span class="quiet">of {grouped(length)}</span>
    </div>
  );
}

const REST = 120;
