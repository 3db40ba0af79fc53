// What moves over the last five minutes, as lines.
import { html, useEffect, useRef } from "../dom.js";
import uPlot from "../vendor/uplot.js";

const HEIGHT = 132;
const SHOWN_S = 300;
const LEAST_S = 60; // that are shown, however short it has been watched

const clock = (seconds) => new Date(seconds * 1000).toTimeString().slice(0, 8);
const dataOf = (history, series) => [history.map((each) => each[0]), ...series.map(([, column]) => history.map((each) => each[column]))];

function optionsOf(box, series, words) {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(`--${name === "faint" ? "edge" : name}`).trim();
  const axis = { stroke: style.getPropertyValue("--faint").trim(), ticks: { show: false }, font: "11px Inter, system-ui, sans-serif" };
  return {
    width: box.clientWidth, height: HEIGHT, legend: { show: false }, cursor: { show: false }, padding: [6, 8, 0, 0],
    scales: { x: { range: (_, low, high) => [Math.min(Math.max(low, high - SHOWN_S), high - LEAST_S), high] }, y: { range: (_, low, high) => [0, (high || 1) * 1.15] } },
    axes: [
      { ...axis, grid: { show: false }, space: 90, size: 24, values: (_, ticks) => ticks.map(clock), incrs: [20, 30, 60, 120] },
      { ...axis, grid: { stroke: colour("line"), width: 1 }, size: 48, space: 36, values: (_, ticks) => ticks.map(words) },
    ],
    series: [{}, ...series.map(([label, , tone], place) => ({
      label, stroke: colour(tone), width: 1.75, points: { show: false }, ...(place ? {} : { fill: `${colour(tone)}1f` }),
    }))],
  };
}

export function Chart({ title, history, series, words }) {
  const place = useRef(null);
  const chart = useRef(null);
  useEffect(() => {
    const box = place.current;
    const draw = () => {
      if (chart.current) chart.current.destroy();
      chart.current = new uPlot(optionsOf(box, series, words), dataOf(history, series), box);
    };
    draw();
    const resize = new ResizeObserver(() => { if (box.clientWidth) chart.current.setSize({ width: box.clientWidth, height: HEIGHT }); });
    resize.observe(box);
    const themed = new MutationObserver(draw);
    themed.observe(document.documentElement, { attributeFilter: ["data-theme"] });
    return () => { resize.disconnect(); themed.disconnect(); chart.current.destroy(); };
  }, []);
  useEffect(() => { if (chart.current) chart.current.setData(dataOf(history, series)); });
  const last = history.at(-1);
  const now = series.map(([label, column, tone]) => [label, last && last[column] !== null ? words(last[column]) : "–", tone]);
  return html`<figure class="panel chart"><figcaption>${title}
      <span class="now">${now.map(([label, value, tone]) => html`<span class=${`key ${tone}`}>${label} <b>${value}</b></span>`)}</span></figcaption>
    <div ref=${place} role="img" aria-label=${`${title}: ${now.map(([label, value]) => `${label} ${value}`).join(", ")}`}></div></figure>`;
}
