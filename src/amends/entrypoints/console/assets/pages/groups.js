// What waits, in groups by its cause: what mends one of a group mends all of it.
import { get } from "../api.js";
import { html, useState } from "../dom.js";
import { ago, number } from "../format.js";
import { Failure, Heading, Nothing, Status, useFetched } from "../parts.js";
import { BulkAsk } from "./bulk.js";

export function Groups({ can }) {
  const { value, error } = useFetched(() => get("groups"), [], { everyMs: 5000 });
  const [asked, setAsked] = useState(null);
  return html`<${Heading} title="Causes" />
    <${Failure} error=${error} />
    ${value && !value.length && html`<${Nothing}>Nothing waits.<//>`}
    <ul class="rows">${(value || []).map((group) => html`<li class="group">
      <a href=${`#/sagas?status=${group.filter.status}&definition=${encodeURIComponent(group.name)}&step=${encodeURIComponent(group.step)}`}>
        <strong class="big">${number(group.sagas)}</strong><span>${group.step}/${group.kind} at ${group.service}</span><${Status} status=${group.status} />
        <span class="why">${group.error || "no error so far"}</span><span class="when">the oldest ${ago(group.oldest_ms)}</span></a>
      ${can("operate") && html`<button onClick=${() => setAsked(group)}>A verb for all…</button>`}</li>`)}</ul>
    ${asked && html`<${BulkAsk} filter=${{ status: [asked.filter.status], definition: asked.name, step: asked.step, service: asked.service }} step=${asked.step} onClose=${() => setAsked(null)} />`}`;
}
