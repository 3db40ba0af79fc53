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
    <p class="hint">What waits, by its step and kind of error: what mends one saga of a group mends all of it.</p>
    <${Failure} error=${error} />
    ${value && !value.length && html`<${Nothing}>Nothing waits.<//>`}
    ${value && value.length > 0 && html`<ul class="rows">${value.map((group) => html`<li>
      <a href=${`#/sagas?status=${group.filter.status}&definition=${encodeURIComponent(group.name)}&step=${encodeURIComponent(group.step)}`}>
        <span class="big">${number(group.sagas)}</span><strong>${group.step}${group.kind === "do" ? "" : ` ${group.kind}`}</strong><${Status} status=${group.status} />
        <span class="why">${group.name}, at ${group.service}</span><span class="when">oldest ${ago(group.oldest_ms)}</span>
        <span class="why whole">${group.error || "no error so far"}</span></a>
      ${can("operate") && html`<button class="quiet" onClick=${() => setAsked(group)}>A verb for all…</button>`}</li>`)}</ul>`}
    ${asked && html`<${BulkAsk} filter=${{ status: [asked.filter.status], definition: asked.name, step: asked.step, service: asked.service }} step=${asked.step} onClose=${() => setAsked(null)} />`}`;
}
