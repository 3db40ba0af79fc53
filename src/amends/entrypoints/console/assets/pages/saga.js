// One saga: its picture, why it waits, what can be said to it, and every record.
import { post } from "../api.js";
import { html, useEffect, useState } from "../dom.js";
import { ago, json, moment, span } from "../format.js";
import { Ask, Failure, Heading, Nothing, Panel, Status, isOver, placeOf } from "../parts.js";
import { Picture, useSaga } from "./watching.js";

export function SagaPage({ place, can }) {
  const id = place.id;
  const { value, error, look, nowMs, isEnded } = useSaga(id);
  const [verb, setVerb] = useState("");
  if (error) return html`<${Heading} title=${id} /><${Failure} error=${error} />`;
  if (!value) return html`<${Heading} title=${id} /><${Nothing}>…<//>`;
  const { saga, records } = value.timeline;
  return html`<${Heading} title=${saga.name}>
      <a class="button quiet" href=${`sagas/${encodeURIComponent(id)}/export`} download>Take it home</a>
      ${verbsOf(saga, can).map(([name, title, , tone]) => html`<button class=${tone} onClick=${() => setVerb(name)}>${title}…</button>`)}
    <//>
    <p class="lead" role="status"><${Status} status=${saga.status} /> <span class="id">${id}</span><span>version ${saga.version}, started ${ago(saga.started_ms)}${
      isEnded ? `, ended ${span(saga.changed_ms - saga.started_ms)} later` : ""}</span></p>
    <${Sentences} saga=${saga} />
    <section class="panel" aria-label="What happened"><${Picture} value=${value} nowMs=${nowMs} /></section>
    <div class="columns uneven">
      <${Panel} id="facts" title="Request and answers"><${Facts} saga=${saga} /><//>
      <${Panel} id="records" title="Records"><ol class="records">${records.map((record) => html`<li><span class="n">${record.number}</span>
        <span class="when" title=${moment(record.at_ms)}>+${span(record.at_ms - saga.started_ms)}</span>
        <span>${record.text}<span class="became">${record.became.join(", ")}</span></span></li>`)}</ol><//>
    </div>
    ${verb && html`<${Tell} saga=${saga} verb=${verb} onClose=${() => { setVerb(""); look(); }} />`}`;
}

// Why it waits, and why it turned back: a sentence each.
function Sentences({ saga }) {
  const tone = saga.status === "needs operator" ? "bad" : saga.status === "backward" ? "undo" : "forward";
  return html`
    ${saga.waits_for && html`<p class=${`sentence ${tone}`}><b>${upper(saga.waits_for)}</b>${
      saga.outstanding.length > 0 && html`<span class="quiet-text">Still to be undone: ${saga.outstanding.map((each) => each.split("/")[0]).join(", ")}</span>`}</p>`}
    ${saga.reason && html`<p class="sentence undo"><span>Turned back: <b>${saga.reason}</b></span></p>`}
    ${saga.owed.length > 0 && html`<p class="sentence bad"><span>Owed: <b>${saga.owed.join(", ")}</b></span></p>`}`;
}

const upper = (text) => text[0].toUpperCase() + text.slice(1);

function Facts({ saga }) {
  return html`<dl><dt>request</dt><dd><code>${json(saga.request)}</code></dd>
      ${Object.entries(saga.answers).map(([step, answer]) => html`<dt>${step}</dt><dd><code>${json(answer)}</code></dd>`)}
      ${saga.deadline_ms && html`<dt>deadline</dt><dd>${moment(saga.deadline_ms)}</dd>`}
      ${saga.parent && html`<dt>follows from</dt><dd><a class="id" href=${placeOf(saga.parent)}>${saga.parent}</a></dd>`}
      ${saga.children.map((child) => html`<dt>starts</dt><dd><a class="id" href=${placeOf(child.saga_id)}>${child.saga_id}</a> ${child.status}</dd>`)}
      ${saga.verbs.map((said) => html`<dt>told by ${said.by || "unknown"}</dt><dd><b>${said.verb}</b> ${said.step} ${moment(said.at_ms)}: ${said.reason}</dd>`)}</dl>`;
}

function verbsOf(saga, can) {
  const isAsked = saga.questions.length > 0;
  return [
    ["retry", "Retry", can("operate") && isAsked, ""],
    ["resolve", "Resolve", can("operate") && isAsked, "quiet"],
    ["undo", "Undo what is owed", can("operate") && saga.owed.length > 0, "undo"],
    ["cancel", "Cancel", can("cancel") && saga.status === "forward", "undo"],
    ["abandon", "Abandon", can("operate") && !isOver(saga), "quiet"],
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
  const title = upper(verb);
  return html`<${Ask} title=${`${title} ${saga.name} ${saga.saga_id}`} action=${title} tone=${verb === "retry" || verb === "resolve" ? "" : "undo"} onClose=${onClose} onDone=${(reason) => post(where, body(reason))}>
    ${effect && html`<p class="effect" role="status">It ${effect}.</p>`}
    ${needsStep && html`<label>Step<select value=${step} onChange=${(e) => setStep(e.target.value)}>${steps.map((each) => html`<option>${each}</option>`)}</select></label>`}
    ${verb === "resolve" && html`<label>What became of it<select value=${came} onChange=${(e) => { setCame(e.target.value); setSaid(e.target.value === "done" ? "null" : ""); }}><option value="done">it took effect</option><option value="refused">it did not, and no longer can</option></select></label>
      <label>${came === "done" ? "Its answer, as JSON" : "Why not"}<input value=${said} onInput=${(e) => setSaid(e.target.value)} /></label>`}
  <//>`;
}
