// Versions in flight: which definitions still have sagas under way, and which are drained.
import { get } from "../api.js";
import { html } from "../dom.js";
import { number } from "../format.js";
import { Failure, Heading, Nothing, useFetched } from "../parts.js";

export function Versions() {
  const { value, error } = useFetched(() => get("definitions"), [], { everyMs: 5000 });
  return html`<${Heading} title="Versions" /><${Failure} error=${error} />
    ${value && !value.length && html`<${Nothing}>No definition is known here, and no saga is stored.<//>`}
    <ul class="cards">${(value || []).map((each) => html`<li class="card">
      <h2>${each.name} <small>version ${each.version}</small></h2>
      <p class="hint"><code>${each.fingerprint}</code>${each.is_known ? "" : " · not known to this server"}</p>
      <p>${each.in_flight ? html`<a href=${`#/sagas?status=waiting&definition=${encodeURIComponent(each.name)}`}><strong>${number(each.in_flight)}</strong> in flight</a>` : html`<strong class="good">drained</strong>`}
        ${Object.entries(each.sagas).filter(([status]) => ["completed", "compensated", "abandoned"].includes(status)).map(([status, count]) => ` · ${number(count)} ${status}`)}</p>
      <ol class="steps">${each.steps.map((step) => html`<li class=${step.is_pivot ? "pivot" : ""}><span>${step.event}</span>${step.undone && html` <span class="undo">↩ ${step.undone}</span>`}${step.is_pivot ? " ◆" : ""}</li>`)}</ol></li>`)}</ul>`;
}
