// The board: what is under way, what ended how, who works, and how fast it goes.
import { get } from "../api.js";
import { html, useEffect, useRef, useState } from "../dom.js";
import { ago, number, span } from "../format.js";
import { Failure, Heading, Nothing, useFetched } from "../parts.js";
import uPlot from "../vendor/uplot.js";

const LOOK_MS = 2000;
const KEPT = 150; // looks: five minutes
const TILES = [
  ["forward", "Going on", "forward"], ["backward", "Turning back", "backward"],
  ["needs operator", "Need an operator", "needs-operator"], ["completed", "Completed", "completed"],
  ["compensated", "Undone", "compensated"], ["abandoned", "Abandoned", "abandoned"],
];

const history = []; // of all looks of this page's life: [seconds, started/s, ended/s, in flight]

export function Board() {
  const { value, error } = useFetched(() => get("status"), [], { counts: () => false, everyMs: LOOK_MS });
  const [, redraw] = useState(0);
  useEffect(() => {
    if (!value) return;
    const rate = value.last_minute;
    const flight = countOf(value, "forward") + countOf(value, "backward") + countOf(value, "needs operator");
    const per = (count) => (rate ? (count * 1000) / rate.span_ms : 0);
    history.push([value.at_ms / 1000, per(rate ? rate.started : 0), per(rate ? rate.ended : 0), flight]);
    if (history.length > KEPT) history.shift();
    redraw((n) => n + 1);
  }, [value]);
  return html`<${Heading} title="Board" />
    <${Failure} error=${error} />
    ${value && html`
      <div class="tiles">${TILES.map(([status, name, word]) => html`<a class=${`tile ${word}`} href=${`#/sagas?status=${word}`}>
        <span class="count">${number(countOf(value, status))}</span><span class="name">${name}</span></a>`)}
        <a class=${`tile failing ${value.failing.length ? "" : "calm"}`} href="#/sagas?status=failing">
          <span class="count">${number(value.failing.length)}</span><span class="name">Failing</span></a>
        <div class="tile calm"><span class="count">${value.oldest_waiting_ms ? span(value.at_ms - value.oldest_waiting_ms) : "–"}</span>
          <span class="name">Oldest under way</span></div></div>
      <div class="charts">
        <${Chart} title="Sagas a second, over the last minute" series=${[["started", 1, "forward"], ["ended", 2, "done"]]} />
        <${Chart} title="Sagas in flight" series=${[["in flight", 3, "forward"]]} />
      </div>
      <div class="columns">
        <section aria-labelledby="definitions"><h2 id="definitions">By definition</h2><${ByDefinition} value=${value} /></section>
        <section aria-labelledby="engines"><h2 id="engines">Engines</h2><${Engines} value=${value} /></section>
      </div>`}`;
}

const countOf = (value, status) =>
  value.sagas.filter((each) => each.status === status).reduce((sum, each) => sum + each.sagas, 0);

function ByDefinition({ value }) {
  const names = [...new Set(value.sagas.map((each) => each.definition))].sort();
  if (!names.length) return html`<${Nothing}>No saga has been started yet.<//>`;
  const of = (name, statuses) => value.sagas
    .filter((each) => each.definition === name && statuses.includes(each.status))
    .reduce((sum, each) => sum + each.sagas, 0);
  return html`<div class="scroll"><table><thead><tr><th>definition</th><th class="n">under way</th><th class="n">completed</th><th class="n">undone</th></tr></thead>
    <tbody>${names.map((name) => html`<tr><td><a href=${`#/sagas?definition=${encodeURIComponent(name.split("/")[0])}`}>${name.split("/")[0]}</a> <small>${name.split("/")[1]}</small></td>
      <td class="n">${number(of(name, ["forward", "backward", "needs operator"]))}</td>
      <td class="n">${number(of(name, ["completed"]))}</td><td class="n">${number(of(name, ["compensated", "abandoned"]))}</td></tr>`)}</tbody></table></div>`;
}

function Engines({ value }) {
  const letters = value.letters;
  return html`
    ${value.engines && value.engines.length ? html`<ul class="plain">${value.engines.map((engine) => html`<li>
      <strong>${engine.name}</strong> <span>${engine.shards.length} shards${
        engine.left_ms === null ? "" : engine.left_ms > 0 ? `, lease ${span(engine.left_ms)} left` : ", its lease ran out"}</span></li>`)}</ul>`
      : html`<p class="failure">No engine is seen: what is asked for waits.</p>`}
    <p>${letters ? `${number(letters.starts + letters.others)} letters wait${letters.why ? `: ${letters.why}` : ""}` : ""}</p>
    <p>durability <strong class=${value.durability.startsWith("full") ? "" : "bad"}>${value.durability}</strong></p>
    ${value.warning && html`<p class="failure">${value.warning}</p>`}
    ${value.audit && html`<p class="hint">audit: block ${number(value.audit.number)}, ${ago(value.audit.at_ms)}</p>`}`;
}

function Chart({ title, series }) {
  const place = useRef(null);
  const chart = useRef(null);
  useEffect(() => {
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(`--${name}`).trim();
    const axis = { stroke: colour("faint"), grid: { stroke: colour("line"), width: 1 }, ticks: { show: false }, font: "11px system-ui" };
    chart.current = new uPlot({
      width: place.current.clientWidth, height: 150, legend: { show: false }, cursor: { show: false },
      scales: { y: { range: (_, low, high) => [0, Math.max(high * 1.15, 1)] } },
      axes: [{ ...axis, space: 70 }, { ...axis, size: 38 }],
      series: [{}, ...series.map(([label, , name]) => ({ label, stroke: colour(name), width: 2, points: { show: false }, fill: `${colour(name)}22` }))],
    }, dataOf(series), place.current);
    const box = place.current;
    const resize = new ResizeObserver(() => box.clientWidth && chart.current.setSize({ width: box.clientWidth, height: 150 }));
    resize.observe(place.current);
    return () => { resize.disconnect(); chart.current.destroy(); };
  }, []);
  useEffect(() => { if (chart.current) chart.current.setData(dataOf(series)); });
  const last = history.at(-1);
  const words = last ? series.map(([label, at]) => `${label} ${last[at] < 10 ? last[at].toFixed(1) : number(Math.round(last[at]))}`).join(", ") : "";
  return html`<figure class="chart"><figcaption>${title} <strong>${words}</strong></figcaption><div ref=${place} role="img" aria-label=${`${title}: ${words}`}></div></figure>`;
}

const dataOf = (series) => [history.map((each) => each[0]), ...series.map(([, at]) => history.map((each) => each[at]))];
