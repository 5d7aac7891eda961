import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { themeChanged } from "../theme";

/** The width that an element has, as it changes. */
export function useWidth() {
  const element = useRef<HTMLDivElement>(null);
  const [width, keep] = useState(0);
  // Before it is seen, so that what is drawn is there at once.
  useLayoutEffect(() => {
    keep(element.current!.clientWidth);
    const observer = new ResizeObserver(entries => {
      keep(Math.floor(entries[0]!.contentRect.width));
    });
    observer.observe(element.current!);
    return () => observer.disconnect();
  }, []);
  return { element, width };
}

/** A number that changes with the colours, for what is drawn by them. */
export function useThemeTurn(): number {
  const [turn, keep] = useState(0);
  useEffect(() => {
    const next = () => keep(before => before + 1);
    themeChanged.addEventListener("change", next);
    return () => themeChanged.removeEventListener("change", next);
  }, []);
  return turn;
}
