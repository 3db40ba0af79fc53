// A verb for many sagas: exactly which, what it does to each, how fast; then how far it is, to pause and to stop.
import { get, post } from "../api.js";
import { html, useState } from "../dom.js";
import { counted, moment, number } from "../format.js";
import { Dialog, Failure, Heading, Nothing, placeOf, useFetched } from "../parts.js";

const VERBS = ["retry", "cancel", "abandon", "undo"];
const LISTED = 200; // of a preview; the verb is for all that it counts

export function BulkAsk({ filter, step = "", onClose }) {
  const [verb, setVerb] = useState("retry");
  const [reason, setReason] = useState("");
  const [rate, setRate] = useState("0");
  const [preview, setPreview] = useState(null);
  const [error, setError] = useState(null);
  const wanted = { status: filter.status || [], definition: filter.definition || "", service: filter.service || "", step: filter.step || "" };
  const tried = (work) => async () => {
    setError(null);
    try {
      await work();
    } catch (failed) {
      setError(failed);
    }
  };
  const look = tried(async () => {
    const about = ["retry", "undo"].includes(verb) ? step : "";
    setPreview(await post("bulk/preview", { verb, reason, filter: wanted, step: about, rate_per_s: Number(rate) || 0 }));
  });
  const start = tried(async () => {
    await post("bulk", { token: preview.token });
    onClose();
    location.hash = "#/bulk";
  });
  const change = (set) => (event) => { set(event.target.value); setPreview(null); };
  const which = Object.entries(wanted).filter(([, value]) => value.length).map(([name, value]) => `${name} ${value}`).join(", ");
  return html`<${Dialog} title="A verb for many sagas" onClose=${onClose} onSubmit=${look}>
    <p class="hint">For ${which ? `those with ${which}` : "all sagas"}.</p>
    <label>Verb<select name="verb" value=${verb} onChange=${change(setVerb)}>${VERBS.map((each) => html`<option>${each}</option>`)}</select></label>
    <label>Reason, for the record of each<input name="reason" required maxlength="1000" value=${reason} onInput=${change(setReason)} autofocus /></label>
    <label>Sagas a second, 0 for as fast as they are<input name="rate" type="number" min="0" max="1000" step="any" value=${rate} onInput=${change(setRate)} /></label>
    <${Failure} error=${error} />
    ${preview && html`<p class="effect" role="status"><strong>${counted(preview.count, "saga takes it", "sagas take it")}</strong>${
      preview.not_taken ? `, ${counted(preview.not_taken, "does not", "do not")}` : ""}.</p>
      <ul class="preview" tabindex="0" aria-label="Which">${preview.sagas.slice(0, LISTED).map((item) => html`<li><span class="id">${item.saga_id}</span> ${item.effect || item.why}</li>`)}</ul>`}
    <div class="buttons"><button type="button" class="quiet" onClick=${onClose}>Leave it</button>
      ${preview && preview.count ? html`<button type="button" class=${verb === "retry" ? "" : "undo"} onClick=${start}>${verb} these ${number(preview.count)}</button>` : html`<button type="submit">Preview</button>`}</div>
  <//>`;
}

export function Bulk({ can }) {
  const { value, error, look } = useFetched(() => get("bulk"), [], { everyMs: 1000 });
  const turn = (run, word) => post(`bulk/${run.bulk_id}/${word}`).then(look, look);
  return html`<${Heading} title="Bulk verbs" /><${Failure} error=${error} />
    ${value && !value.length && html`<${Nothing}>None was carried out by this server. A verb for many is said where sagas are listed.<//>`}
    ${value && value.length > 0 && html`<ul class="cards wide">${value.map((run) => html`<li class="card">
      <h2>${run.verb} ${run.step}</h2>
      <p>${run.reason}</p>
      <p class="hint">by ${run.by}, ${moment(run.started_ms)}</p>
      <progress value=${run.done + run.failures + run.skips} max=${Math.max(run.total, 1)} aria-label="how far it is"></progress>
      <p role="status"><strong>${run.state}</strong>: ${number(run.done)} of ${number(run.total)} done${run.failures ? `, ${number(run.failures)} failed` : ""}${run.skips ? `, ${number(run.skips)} skipped as they had changed` : ""}</p>
      ${[...run.failed, ...run.skipped].slice(0, 20).map((item) => html`<p class="hint"><a class="id" href=${placeOf(item.saga_id)}>${item.saga_id}</a> ${item.why}</p>`)}
      ${can("operate") && ["running", "paused"].includes(run.state) && html`<div class="buttons">
        <button class="quiet" onClick=${() => turn(run, run.state === "paused" ? "resume" : "pause")}>${run.state === "paused" ? "Go on" : "Pause"}</button>
        <button class="undo" onClick=${() => turn(run, "stop")}>Stop</button></div>`}</li>`)}</ul>`}`;
}
