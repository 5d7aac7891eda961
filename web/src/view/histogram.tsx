import { useLayoutEffect, useRef } from "preact/hooks";
import type { Leaf } from "../dtype";
import type { Bins } from "../histogram";
import { colour } from "../theme";
import { grouped, names, plural, ticks } from "../units";
import { dates } from "./dates";
import { drawAxes, type Plane, prepare, RIGHT, xOf, yOf } from "./plane";
import { useThemeTurn, useWidth } from "./width";

/** Counts as bars, and as a table for who cannot see them. */
export function Histogram({ bins, leaf }: { bins: Bins; leaf: Leaf }) {
  const { element, width } = useWidth();
  const turn = useThemeTurn();
  const canvas = useRef<HTMLCanvasElement>(null);
  const date = dates(leaf.dtype);
  const edges = date ? bins.edges.map(date) : names(bins.edges, 6);
  const [first, end] = [bins.edges[0]!, bins.edges.at(-1)!];
  const range = `from ${edges[0]} to ${edges.at(-1)}`;
  useLayoutEffect(() => {
    if (!width) return;
    const most = Math.max(1, ...bins.counts);
    const left = 14 + 7 * Math.max(...names([0, most, most / 2]).map(text => text.length));
    const plane: Plane = {
      left,
      top: 8,
      width: Math.max(40, width - left - RIGHT),
      height: 140,
      x: [first, end],
      y: [0, 1.05 * most],
    };
    const context = prepare(canvas.current!, width, plane.top + plane.height + 28);
    const x = ticks(first, end, plane.width / (date ? 130 : 55));
    const y = ticks(0, plane.y[1], plane.height / 45, true);
    const dated = { at: x, names: date ? x.map(date) : names(x) };
    drawAxes(context, plane, dated, { at: y, names: names(y) });
    drawBars(context, plane, bins);
  }, [bins, width, turn]);
  return (
    <figure class="plot">
      <h2>Histogram</h2>
      <div ref={element}>
        <canvas
          ref={canvas}
          class="canvas"
          role="img"
          aria-label={`Histogram of ${plural(bins.counts.length, "bin")} ${range}`}
        />
      </div>
      <details>
        <summary>Counts</summary>
        {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keys. */}
        <section class="scroll short" tabIndex={0} aria-label="Counts of the histogram">
          <table class="values">
            <thead>
              <tr>
                <th scope="col">from</th>
                <th scope="col">to</th>
                <th scope="col">count</th>
              </tr>
            </thead>
            <tbody>
              {bins.counts.map((count, i) => (
                <tr key={bins.edges[i]}>
                  <td>{edges[i]}</td>
                  <td>{edges[i + 1]}</td>
                  <td data-count={count}>{grouped(count)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </section>
      </details>
    </figure>
  );
}

function drawBars(context: CanvasRenderingContext2D, plane: Plane, bins: Bins) {
  context.fillStyle = colour("accent");
  const ground = yOf(plane, 0);
  for (const [i, count] of bins.counts.entries()) {
    if (count === 0) continue;
    const [from, to] = [xOf(plane, bins.edges[i]!), xOf(plane, bins.edges[i + 1]!)];
    const gap = to - from > 4 ? 1 : 0;
    // Few among many are still seen.
    const height = Math.max(1, ground - yOf(plane, count));
    context.fillRect(from, ground - height, Math.max(1, to - from - gap), height);
  }
}
