// What is owed, on one line at the top of every page, and in full.
import { get } from "../api.js";
import { html } from "../dom.js";
import { ago, counted, number } from "../format.js";
import { Failure, Heading, Nothing, placeOf, useFetched } from "../parts.js";

const BAD = ["not undone", "late"];
const WORDS = { held: "held", unanswered: "not answered", "not undone": "not undone", late: "late" };
const SHOWN = 4; // things on the line
const LISTED = 200;

const isBad = (each) => BAD.includes(each.kind);
const amountOf = (total) => number(total.amount === null ? total.sagas : Math.abs(total.amount));
const thing = (each) => (each.kind === "held" ? `${each.service} ${each.what || each.step || ""}`.trim() : each.step || each.what);
const worstFirst = (totals) => [...totals].sort((a, b) => isBad(b) - isBad(a));

export function OwedBar() {
  const { value, error } = useFetched(() => get("owed?limit=0"), [], { everyMs: 5000 });
  if (error) return html`<p class="owed-bar bad" role="status">${error.message}</p>`;
  if (!value) return html`<p class="owed-bar" role="status"><span class="name">Owed</span></p>`;
  const { totals, differences } = value;
  return html`<p class="owed-bar" role="status"><a href="#/owed"><span class="name">Owed</span>
    ${!totals.length && !differences.length && html`<span class="item"><span class="good" aria-hidden="true">✓</span> nothing</span>`}
    ${differences.length > 0 && html`<span class="item bad"><b>${number(differences.length)}</b> ${differences.length === 1 ? "book differs" : "books differ"}</span>`}
    ${worstFirst(totals).slice(0, SHOWN).map((total) => html`<span class=${`item ${isBad(total) ? "bad" : ""}`}><b>${amountOf(total)}</b> ${thing(total)} ${WORDS[total.kind]}</span>`)}
    ${totals.length > SHOWN && html`<span class="item">and ${number(totals.length - SHOWN)} more</span>`}</a></p>`;
}

export function Owed() {
  const { value, error } = useFetched(() => get(`owed?limit=${LISTED}`), [], { everyMs: 5000 });
  return html`<${Heading} title="Owed" />
    <p class="hint">All that sagas hold, and all that is unsettled, in their own units.</p>
    <${Failure} error=${error} />
    ${value && html`<${Ledger} ledger=${value} />`}`;
}

function Ledger({ ledger }) {
  const { totals, entries, differences } = ledger;
  return html`
    ${differences.map((each) => html`<p class="failure">${each.service} ${each.entity} ${each.what} is ${number(each.book)}, and sagas hold ${number(each.held)} of it</p>`)}
    ${!entries.length && html`<${Nothing}>Nothing is owed.<//>`}
    ${totals.length > 0 && html`<div class="figures">${worstFirst(totals).map((total) => html`<div class=${`figure ${isBad(total) ? "bad" : ""}`}>
      <span class="count">${amountOf(total)}</span><span class="name">${thing(total)} ${WORDS[total.kind]}, of ${counted(total.sagas, "saga", "sagas")}</span></div>`)}</div>`}
    ${entries.length > 0 && html`<ul class="rows">${entries.map((entry) => html`<li><a href=${placeOf(entry.saga_id)}>
      <strong class=${isBad(entry) ? "bad" : ""}>${entry.amount === null ? "" : `${number(Math.abs(entry.amount))} `}${thing(entry)} ${WORDS[entry.kind]}</strong>
      <span class="why">${entry.entity && `${entry.entity}, `}${entry.name} <span class="id">${entry.saga_id}</span></span>
      <span class="when">${ago(entry.since_ms)}</span>${entry.why && html`<span class="why whole">${entry.why}</span>`}</a></li>`)}</ul>`}
    ${entries.length === LISTED && html`<p class="hint">The sums are of all; of the list these are the last ${number(LISTED)}.</p>`}`;
}
