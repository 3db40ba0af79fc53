// The board: what is under way, what ended how, who works, and how fast it goes.
import { get } from "../api.js";
import { html, useEffect, useState } from "../dom.js";
import { ago, counted, number, span } from "../format.js";
import { Failure, Heading, Nothing, Panel, useFetched } from "../parts.js";
import { Chart } from "./chart.js";

const LOOK_MS = 2000;
const KEPT = 150; // looks: five minutes
const SAMPLE = 100; // sagas that ended, whose times are seen

const UNDER_WAY = ["forward", "backward", "needs operator"];
const history = []; // of all looks of this page's life: [seconds, started/s, ended/s, in flight, middle s, 99 % s]

async function looked() {
  const [status, ended] = await Promise.all([get("status"), get(`sagas?status=completed&status=compensated&limit=${SAMPLE}`)]);
  const times = ended.sagas.map((saga) => (saga.changed_ms - saga.started_ms) / 1000).sort((a, b) => a - b);
  return { status, times };
}

const at = (times, share) => (times.length ? times[Math.min(Math.floor(times.length * share), times.length - 1)] : null);

function remember({ status, times }) {
  const rate = status.last_minute;
  const per = (count) => (rate ? (count * 1000) / rate.span_ms : 0);
  const flight = UNDER_WAY.reduce((sum, each) => sum + countOf(status, each), 0);
  history.push([status.at_ms / 1000, per(rate ? rate.started : 0), per(rate ? rate.ended : 0), flight, at(times, 0.5), at(times, 0.99)]);
  if (history.length > KEPT) history.shift();
}

export function Board() {
  const { value, error } = useFetched(looked, [], { counts: () => false, everyMs: LOOK_MS });
  const [, redraw] = useState(0);
  useEffect(() => {
    if (!value) return;
    remember(value);
    redraw((n) => n + 1);
  }, [value]);
  return html`<${Heading} title="Board" />
    <${Failure} error=${error} />
    ${value && html`<${Figures} status=${value.status} />
      <div class="charts">
        <${Chart} title="Sagas a second" history=${history} series=${[["started", 1, "forward"], ["ended", 2, "faint"]]} words=${(n) => number(n < 10 ? Math.round(n * 10) / 10 : Math.round(n))} />
        <${Chart} title="How long the last ones took" history=${history} series=${[["half", 4, "forward"], ["99 %", 5, "faint"]]} words=${(s) => span(s * 1000)} />
        <${Chart} title="In flight" history=${history} series=${[["sagas", 3, "forward"]]} words=${(n) => number(n)} />
      </div>
      <div class="columns">
        <${Panel} id="definitions" title="By definition"><${ByDefinition} status=${value.status} /><//>
        <${Panel} id="engines" title="At work"><${AtWork} status=${value.status} /><//>
      </div>`}`;
}

const countOf = (status, wanted) =>
  status.sagas.filter((each) => each.status === wanted).reduce((sum, each) => sum + each.sagas, 0);

function Figures({ status }) {
  const figure = (count, name, filter, tone) => html`<a class=${`figure ${count ? tone : "zero"}`} href=${`#/sagas?status=${filter}`}>
    <span class="count">${number(count)}</span><span class="name">${name}</span></a>`;
  const oldest = status.oldest_waiting_ms;
  return html`<div class="figures">
    ${figure(countOf(status, "forward"), "going forward", "forward", "forward")}
    ${figure(countOf(status, "backward"), "turning back", "backward", "undo")}
    ${figure(countOf(status, "needs operator"), "need an operator", "needs-operator", "bad")}
    ${figure(status.failing.length, "failing", "failing", "bad")}
    <div class=${`figure ${oldest ? "" : "zero"}`}><span class="count">${oldest ? span(status.at_ms - oldest) : "–"}</span><span class="name">oldest under way</span></div>
    ${figure(countOf(status, "completed"), "completed", "completed", "")}
    ${figure(countOf(status, "compensated"), "compensated", "compensated", "undo")}
    ${figure(countOf(status, "abandoned"), "abandoned", "abandoned", "")}</div>`;
}

function ByDefinition({ status }) {
  const names = [...new Set(status.sagas.map((each) => each.definition))].sort();
  if (!names.length) return html`<${Nothing}>No saga has been started yet.<//>`;
  const of = (name, statuses) => number(status.sagas
    .filter((each) => each.definition === name && statuses.includes(each.status))
    .reduce((sum, each) => sum + each.sagas, 0));
  const row = (name) => {
    const [title, version] = name.split("/");
    return html`<tr><td><a href=${`#/sagas?definition=${encodeURIComponent(title)}`}>${title}</a> <small>${version}</small></td>
      <td class="n">${of(name, UNDER_WAY)}</td><td class="n">${of(name, ["completed"])}</td><td class="n">${of(name, ["compensated", "abandoned"])}</td></tr>`;
  };
  return html`<div class="scroll" role="region" aria-labelledby="definitions" tabindex="0"><table>
    <thead><tr><th>definition</th><th class="n">under way</th><th class="n">completed</th><th class="n">undone</th></tr></thead>
    <tbody>${names.map(row)}</tbody></table></div>`;
}

function AtWork({ status }) {
  const { engines, letters, audit, durability, warning } = status;
  const lease = (engine) => (engine.left_ms === null ? "" : engine.left_ms > 0 ? `, lease ${span(engine.left_ms)} left` : ", its lease ran out");
  return html`
    ${!(engines && engines.length) && html`<p class="failure">No engine is seen: what is asked for waits.</p>`}
    <dl>${(engines || []).map((engine) => html`<dt>engine</dt><dd>${engine.name}, ${counted(engine.shards.length, "shard", "shards")}${lease(engine)}</dd>`)}
      ${letters && html`<dt>letters</dt><dd>${letters.starts + letters.others ? `${counted(letters.starts + letters.others, "waits", "wait")}${letters.why ? `: ${letters.why}` : ""}` : "none wait"}</dd>`}
      <dt>durability</dt><dd class=${durability.startsWith("full") ? "" : "bad"}>${durability}</dd>
      ${audit && html`<dt>audit</dt><dd><a href="#/audit">block ${number(audit.number)}</a>, ${ago(audit.at_ms)}</dd>`}</dl>
    ${warning && html`<p class="failure">${warning}</p>`}`;
}
