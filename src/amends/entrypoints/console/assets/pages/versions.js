// Versions in flight: which definitions still have sagas under way, and which are drained.
import { get } from "../api.js";
import { html } from "../dom.js";
import { number } from "../format.js";
import { Failure, Heading, Nothing, useFetched } from "../parts.js";

const ENDED = ["completed", "compensated", "abandoned"];

export function Versions() {
  const { value, error } = useFetched(() => get("definitions"), [], { everyMs: 5000 });
  return html`<${Heading} title="Versions" />
    <p class="hint">A version whose sagas have all ended is drained: its code may go.</p>
    <${Failure} error=${error} />
    ${value && !value.length && html`<${Nothing}>No definition is known here, and no saga is stored.<//>`}
    <ul class="cards">${(value || []).map((each) => html`<${Version} key=${each.definition} of=${each} />`)}</ul>`;
}

function Version({ of }) {
  const ended = Object.entries(of.sagas).filter(([status]) => ENDED.includes(status));
  return html`<li class="card">
    <h2>${of.name} <small>version ${of.version}</small></h2>
    <p class="hint"><code>${of.fingerprint}</code>${of.is_known ? "" : " · not known to this server"}</p>
    <p>${of.in_flight ? html`<a href=${`#/sagas?status=waiting&definition=${encodeURIComponent(of.name)}`}><strong>${number(of.in_flight)}</strong> in flight</a>` : html`<strong class="good">✓ drained</strong>`}${
      ended.map(([status, count]) => html`<span class="quiet-text"> · ${number(count)} ${status}</span>`)}</p>
    <ol class="steps">${of.steps.map((step) => html`<li class=${step.is_pivot ? "pivot" : ""}><span>${step.event}${step.is_pivot ? " (pivot)" : ""}</span>${step.undone && html`<span class="undo-text">↩ ${step.undone}</span>`}</li>`)}</ol></li>`;
}
