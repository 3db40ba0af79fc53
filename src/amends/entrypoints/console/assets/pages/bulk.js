// A verb for many sagas: exactly which, what it does to each, how fast; then how far it is, to pause and to stop.
import { get, post } from "../api.js";
import { html, useEffect, useRef, useState } from "../dom.js";
import { moment, number } from "../format.js";
import { Failure, Heading, Nothing, useFetched } from "../parts.js";

const VERBS = ["retry", "cancel", "abandon", "undo"];

export function BulkAsk({ filter, step = "", onClose }) {
  const [verb, setVerb] = useState("retry");
  const [reason, setReason] = useState("");
  const [rate, setRate] = useState("0");
  const [preview, setPreview] = useState(null);
  const [error, setError] = useState(null);
  const dialog = useRef(null);
  useEffect(() => { if (!dialog.current.open) dialog.current.showModal(); }, []);
  const wanted = { status: filter.status || [], definition: filter.definition || "", service: filter.service || "", step: filter.step || "" };
  const look = async (event) => {
    event.preventDefault();
    setError(null);
    try {
      const about = ["retry", "undo"].includes(verb) ? step : "";
      setPreview(await post("bulk/preview", { verb, reason, filter: wanted, step: about, rate_per_s: Number(rate) || 0 }));
    } catch (failed) {
      setError(failed);
    }
  };
  const start = async () => {
    try {
      await post("bulk", { token: preview.token });
      onClose();
      location.hash = "#/bulk";
    } catch (failed) {
      setError(failed);
    }
  };
  const change = (set) => (event) => { set(event.target.value); setPreview(null); };
  return html`<dialog ref=${dialog} onClose=${onClose} aria-labelledby="bulk-title"><form onSubmit=${look}>
    <h2 id="bulk-title">A verb for many sagas</h2>
    <p class="hint">${Object.entries(wanted).filter(([, v]) => v.length).map(([k, v]) => `${k} ${v}`).join(", ") || "all sagas"}</p>
    <label>Verb<select name="verb" value=${verb} onChange=${change(setVerb)}>${VERBS.map((each) => html`<option>${each}</option>`)}</select></label>
    <label>Reason, for the record of each<input name="reason" required maxlength="1000" value=${reason} onInput=${change(setReason)} /></label>
    <label>Sagas a second, 0 for as fast as they are<input name="rate" type="number" min="0" max="1000" step="any" value=${rate} onInput=${change(setRate)} /></label>
    <${Failure} error=${error} />
    ${preview && html`<p class="effect" role="status"><strong>${number(preview.count)}</strong> ${preview.count === 1 ? "saga takes" : "sagas take"} it${
      preview.not_taken ? `, ${number(preview.not_taken)} do not` : ""}.</p>
      <ul class="preview">${preview.sagas.slice(0, 200).map((item) => html`<li><strong>${item.saga_id}</strong> ${item.effect || item.why}</li>`)}</ul>`}
    <div class="buttons"><button type="button" class="quiet" onClick=${onClose}>Leave it</button>
      ${preview && preview.count ? html`<button type="button" class="undo" onClick=${start}>${verb} these ${number(preview.count)}</button>` : html`<button type="submit">Preview</button>`}</div>
  </form></dialog>`;
}

export function Bulk({ can }) {
  const { value, error, look } = useFetched(() => get("bulk"), [], { everyMs: 1000 });
  const turn = (run, word) => post(`bulk/${run.bulk_id}/${word}`).then(look, look);
  return html`<${Heading} title="Bulk verbs" /><${Failure} error=${error} />
    ${value && !value.length && html`<${Nothing}>None was carried out by this server. A verb for many is said where sagas are listed.<//>`}
    <ul class="rows">${(value || []).map((run) => html`<li class="run">
      <p><strong>${run.verb}</strong> ${run.step} by <strong>${run.by}</strong>, ${moment(run.started_ms)}: ${run.reason}</p>
      <progress value=${run.done + run.failures + run.skips} max=${Math.max(run.total, 1)} aria-label="how far it is"></progress>
      <p role="status">${run.state}: ${number(run.done)} of ${number(run.total)} done${run.failures ? `, ${number(run.failures)} failed` : ""}${run.skips ? `, ${number(run.skips)} skipped as they had changed` : ""}</p>
      ${[...run.failed, ...run.skipped].slice(0, 20).map((item) => html`<p class="why"><a href=${`#/sagas/${encodeURIComponent(item.saga_id)}`}>${item.saga_id}</a> ${item.why}</p>`)}
      ${can("operate") && ["running", "paused"].includes(run.state) && html`<div class="buttons">
        <button onClick=${() => turn(run, run.state === "paused" ? "resume" : "pause")}>${run.state === "paused" ? "Go on" : "Pause"}</button>
        <button class="undo" onClick=${() => turn(run, "stop")}>Stop</button></div>`}</li>`)}</ul>`;
}
