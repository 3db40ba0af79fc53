// One saga: its picture, why it waits, what can be said to it, and every record.
import { get, post } from "../api.js";
import { html, useEffect, useState } from "../dom.js";
import { ago, json, moment, span } from "../format.js";
import { Ask, Failure, Heading, Nothing, Status, useFetched } from "../parts.js";
import { Timeline } from "./timeline.js";

const OVER = ["completed", "compensated", "abandoned"];
const TICK_MS = 500; // a running step grows

export function SagaPage({ place, can }) {
  const id = place.id;
  const { value, error, look } = useFetched(() => get(`sagas/${encodeURIComponent(id)}/timeline`), [id], {
    counts: (event) => event.subject === id,
  });
  const [nowMs, setNow] = useState(Date.now());
  const [verb, setVerb] = useState("");
  const isOver = value && OVER.includes(value.saga.status);
  useEffect(() => {
    if (!value || isOver) return undefined;
    const timer = setInterval(() => setNow(Date.now()), TICK_MS);
    return () => clearInterval(timer);
  }, [Boolean(value), isOver]);
  if (error) return html`<${Heading} title=${id} /><${Failure} error=${error} />`;
  if (!value) return html`<${Heading} title=${id} /><${Nothing}>…<//>`;
  const { saga, records } = value;
  const verbs = verbsOf(saga, can);
  return html`<${Heading} title=${id}>
      ${verbs.map(([name, title]) => html`<button class=${name === "cancel" || name === "abandon" ? "undo" : ""} onClick=${() => setVerb(name)}>${title}…</button>`)}
      <a class="button quiet" href=${`sagas/${encodeURIComponent(id)}/export`} download>Take it home</a>
    <//>
    <p class="lead" role="status"><${Status} status=${saga.status} /> <strong>${saga.name}</strong> version ${saga.version}, started ${ago(saga.started_ms)}${
      isOver ? `, ended ${span(saga.changed_ms - saga.started_ms)} later` : ""}</p>
    ${saga.waits_for && html`<p class="waits">${saga.waits_for}</p>`}
    ${saga.reason && html`<p class="reason">turned back: ${saga.reason}</p>`}
    ${saga.owed.length > 0 && html`<p class="failure">owed: ${saga.owed.join(", ")}</p>`}
    ${saga.outstanding.length > 0 && html`<p class="reason">outstanding: ${saga.outstanding.join(", ")}</p>`}
    <${Timeline} timeline=${value} nowMs=${nowMs} />
    <div class="legend" aria-hidden="true"><span class="forward">forward</span><span class="undo">undone</span><span class="held">held</span><span class="ahead">ahead</span></div>
    <div class="columns">
      <section aria-labelledby="facts"><h2 id="facts">Request and answers</h2>
        <dl><dt>request</dt><dd><code>${json(saga.request)}</code></dd>
          ${Object.entries(saga.answers).map(([step, answer]) => html`<dt>${step}</dt><dd><code>${json(answer)}</code></dd>`)}
          ${saga.deadline_ms && html`<dt>deadline</dt><dd>${moment(saga.deadline_ms)}</dd>`}
          ${saga.parent && html`<dt>follows from</dt><dd><a href=${`#/sagas/${encodeURIComponent(saga.parent)}`}>${saga.parent}</a></dd>`}
          ${saga.children.map((child) => html`<dt>starts</dt><dd><a href=${`#/sagas/${encodeURIComponent(child.saga_id)}`}>${child.saga_id}</a> ${child.status}</dd>`)}</dl>
        ${saga.verbs.length > 0 && html`<h2>Told by people</h2><ul class="plain">${saga.verbs.map((said) => html`<li>
          <strong>${said.by || "unknown"}</strong> ${said.verb} ${said.step}, ${moment(said.at_ms)}: ${said.reason}</li>`)}</ul>`}
      </section>
      <section aria-labelledby="records"><h2 id="records">Records</h2>
        <ol class="records">${records.map((record) => html`<li value=${record.number}><span class="when">+${span(record.at_ms - saga.started_ms)}</span>
          <span>${record.text}</span> <span class="became">${record.became.join(", ")}</span></li>`)}</ol></section>
    </div>
    ${verb && html`<${Tell} saga=${saga} verb=${verb} onClose=${() => { setVerb(""); look(); }} />`}`;
}

function verbsOf(saga, can) {
  const isOver = OVER.includes(saga.status);
  const asked = saga.questions.length > 0;
  return [
    ["cancel", "Cancel", can("cancel") && !isOver && saga.status === "forward"],
    ["retry", "Retry", can("operate") && asked],
    ["resolve", "Resolve", can("operate") && asked],
    ["undo", "Undo what is owed", can("operate") && saga.owed.length > 0],
    ["abandon", "Abandon", can("operate") && !isOver],
  ].filter(([, , may]) => may);
}

function Tell({ saga, verb, onClose }) {
  const steps = verb === "undo" ? saga.owed : saga.questions.map((question) => question.step);
  const needsStep = ["retry", "resolve", "undo"].includes(verb);
  const [step, setStep] = useState(needsStep ? steps[0] || "" : "");
  const [came, setCame] = useState("done");
  const [said, setSaid] = useState("null");
  const [effect, setEffect] = useState("");
  const where = `sagas/${encodeURIComponent(saga.saga_id)}/${verb}`;
  const body = (reason) => ({
    reason, ...(verb === "cancel" ? {} : { step }),
    ...(verb === "resolve" ? { outcome: came === "done" ? { done: JSON.parse(said) } : { refused: said } } : {}),
  });
  useEffect(() => {
    if (verb === "resolve") return;
    post(`${where}?preview=true`, body("a preview")).then((seen) => setEffect(seen.effect), (error) => setEffect(error.message));
  }, [step]);
  return html`<${Ask} title=${`${verb} ${saga.saga_id}`} action=${verb} tone=${verb === "retry" ? "" : "undo"} onClose=${onClose} onDone=${(reason) => post(where, body(reason))}>
    ${effect && html`<p class="effect">It ${effect}.</p>`}
    ${needsStep && html`<label>Step<select value=${step} onChange=${(e) => setStep(e.target.value)}>${steps.map((each) => html`<option>${each}</option>`)}</select></label>`}
    ${verb === "resolve" && html`<label>What became of it<select value=${came} onChange=${(e) => setCame(e.target.value)}><option value="done">it took effect</option><option value="refused">it did not, and no longer can</option></select></label>
      <label>${came === "done" ? "Its answer, as JSON" : "Why not"}<input value=${said} onInput=${(e) => setSaid(e.target.value)} /></label>`}
  <//>`;
}
