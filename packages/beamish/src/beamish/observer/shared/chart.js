// A line chart of the kept samples, at most ten minutes, as SVG.

import { el, fill, span, svg } from "./dom.js";

const WIDTH = 320;
const HEIGHT = 72;
const MIN_WINDOW_SECONDS = 60;
// A chart that has stayed empty for this long has nothing to show, and collects nothing.
const MIN_EMPTY_SECONDS = 10;

/**
 * Return a chart as `{element, show(points)}`; a point is `[seconds since 1970, value or null]`.
 *
 * @param title Name of the figure.
 * @param format Returns a value as text.
 * @param quantiles Whether the text names the median and the 99th percentile.
 */
export function chart(title, format, quantiles = false) {
  const value = el("span", { class: "value" }, "–");
  const range = el("span", { class: "quiet" });
  const picture = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", class: "chart" });
  const element = el("figure", { class: "card" }, el("figcaption", {}, el("span", { class: "title" }, title), value), picture, range);

  function show(points) {
    const known = points.filter(([, number]) => number !== null);
    const last = known.at(-1);
    fill(value, last === undefined ? "–" : format(last[1]));
    if (known.length < 2) {
      picture.setAttribute("aria-label", `${title}: no chart yet`);
      const seconds = points.length > 1 ? points.at(-1)[0] - points[0][0] : 0;
      fill(range, known.length === 0 && seconds >= MIN_EMPTY_SECONDS ? `no value in ${span(seconds)}` : "Collecting…");
      fill(picture);
      return;
    }
    const numbers = known.map(([, number]) => number);
    const [least, most] = [Math.min(...numbers), Math.max(...numbers)];
    const spread = quantiles && numbers.length > 2 ? `; median ${format(quantile(numbers, 0.5))}, 99 % within ${format(quantile(numbers, 0.99))}` : "";
    const text = least === most ? `constant ${format(most)}` : `${format(least)} to ${format(most)}`;
    const seconds = points.at(-1)[0] - points[0][0];
    fill(range, `${text} in ${span(seconds)}${spread}`);
    picture.setAttribute("aria-label", `${title}: now ${format(last[1])}, ${text} in the last ${span(seconds)}${spread}`);
    const scale = { now: points.at(-1)[0], seconds: Math.max(seconds, MIN_WINDOW_SECONDS), least: Math.min(0, least), most };
    fill(picture, runs(points).map((run) => svg("polyline", { points: drawn(run, scale) })));
  }

  return { element, show };
}

/** Return the value below which a share of the values is. */
function quantile(numbers, share) {
  const sorted = numbers.toSorted((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
}

/** Split points where a value is missing: there the line has a gap. */
function runs(points) {
  const found = [[]];
  for (const point of points) {
    if (point[1] === null) found.push([]);
    else found.at(-1).push(point);
  }
  return found.filter((run) => run.length > 1);
}

function drawn(run, { now, seconds, least, most }) {
  const height = most - least || 1;
  return run
    .map(([at, number]) => {
      const x = WIDTH * (1 - (now - at) / seconds);
      const y = HEIGHT - 3 - ((number - least) / height) * (HEIGHT - 8);
      return `${x.toFixed(1)},${y.toFixed(1)}`;
    })
    .join(" ");
}
