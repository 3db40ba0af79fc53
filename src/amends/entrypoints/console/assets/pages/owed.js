// What is owed, on one line at the top of every page, and in full.
import { get } from "../api.js";
import { html } from "../dom.js";
import { ago, number } from "../format.js";
import { Failure, Heading, Nothing, useFetched } from "../parts.js";

const BAD = ["not undone", "late"];
const WORDS = { held: "held", unanswered: "not answered", "not undone": "not undone", late: "late" };

const useOwed = () => useFetched(() => get("owed"), [], { everyMs: 5000 });

const amountOf = (total) => (total.amount === null ? number(total.sagas) : number(total.amount));

export function OwedBar() {
  const { value, error } = useOwed();
  if (error) return html`<p class="owed-bar bad" role="status">${error.message}</p>`;
  if (!value) return html`<p class="owed-bar" role="status">…</p>`;
  const isBad = value.differences.length > 0 || value.totals.some((total) => BAD.includes(total.kind));
  const parts = value.totals.map((total) => `${amountOf(total)} ${total.what} ${WORDS[total.kind]}`);
  if (value.differences.length) parts.unshift(`${number(value.differences.length)} books differ`);
  const state = isBad ? "bad" : parts.length ? "" : "good";
  return html`<p class=${`owed-bar ${state}`} role="status"><a href="#/owed">${parts.slice(0, 3).join(" · ") || "nothing owed"}${parts.length > 3 ? " …" : ""}</a></p>`;
}

export function Owed() {
  const { value, error } = useOwed();
  return html`<${Heading} title="Owed" />
    <${Failure} error=${error} />
    ${value && html`
      ${value.differences.map((each) => html`<p class="failure">${each.service}/${each.entity} ${each.what} is ${number(each.book)}, and sagas hold ${number(each.held)} of it</p>`)}
      ${!value.entries.length && html`<${Nothing}>Nothing is owed.<//>`}
      ${value.totals.length > 0 && html`<div class="tiles">${value.totals.map((total) => html`<div class=${`tile ${BAD.includes(total.kind) ? "failing" : "forward"}`}>
        <span class="count">${amountOf(total)}</span><span class="name">${total.service} ${total.what}, ${WORDS[total.kind]}, of ${number(total.sagas)} ${total.sagas === 1 ? "saga" : "sagas"}</span></div>`)}</div>`}
      <ul class="rows">${value.entries.slice(0, 200).map((entry) => html`<li><a href=${`#/sagas/${encodeURIComponent(entry.saga_id)}`}>
        <strong>${entry.saga_id}</strong><span>${WORDS[entry.kind]}: ${entry.amount === null ? "" : number(entry.amount)} ${entry.what || entry.step} ${entry.entity && `of ${entry.entity}`} at ${entry.service}</span>
        <span class="when">${ago(entry.since_ms)}</span><span class="why">${entry.why}</span></a></li>`)}</ul>
      ${value.entries.length > 200 && html`<p class="hint">and ${number(value.entries.length - 200)} more</p>`}`}`;
}
