// What is owed, on one line at the top of every page, and in full.
import { get } from "../api.js";
import { html } from "../dom.js";
import { ago, number } from "../format.js";
import { Failure, Heading, Nothing, useFetched } from "../parts.js";

const useStatus = () => useFetched(() => get("status"), [], { everyMs: 5000 });

export function OwedBar() {
  const { value, error } = useStatus();
  if (error) return html`<p class="owed-bar bad" role="status">${error.message}</p>`;
  if (!value) return html`<p class="owed-bar" role="status">…</p>`;
  const steps = value.owed.reduce((sum, saga) => sum + saga.steps.length, 0);
  const stuck = value.stuck.length;
  const parts = [];
  if (steps) parts.push(`${number(steps)} ${steps === 1 ? "effect" : "effects"} owed`);
  if (stuck) parts.push(`${number(stuck)} ${stuck === 1 ? "saga needs" : "sagas need"} an operator`);
  return html`<a class=${`owed-bar ${parts.length ? "bad" : "good"}`} href="#/owed" role="status">${parts.join(" · ") || "nothing owed"}</a>`;
}

export function Owed() {
  const { value, error } = useStatus();
  return html`<${Heading} title="Owed" />
    <${Failure} error=${error} />
    ${value && html`
      <section aria-labelledby="stuck"><h2 id="stuck">Sagas that need an operator</h2>
        ${value.stuck.length ? html`<ul class="rows">${value.stuck.map((saga) => html`<li>
          <a href=${`#/sagas/${encodeURIComponent(saga.saga_id)}`}><strong>${saga.saga_id}</strong>
          <span>${saga.outstanding.join(", ")}</span><span class="why">${saga.why}</span></a></li>`)}</ul>`
          : html`<${Nothing}>None does.<//>`}</section>
      <section aria-labelledby="late"><h2 id="late">Effects that stand though their saga gave them up</h2>
        ${value.owed.length ? html`<ul class="rows">${value.owed.map((saga) => html`<li>
          <a href=${`#/sagas/${encodeURIComponent(saga.saga_id)}`}><strong>${saga.saga_id}</strong><span>${saga.steps.join(", ")}</span></a></li>`)}</ul>`
          : html`<${Nothing}>None does.<//>`}</section>
      <section aria-labelledby="failing"><h2 id="failing">Steps that go on failing</h2>
        ${value.failing.length ? html`<ul class="rows">${value.failing.map((step) => html`<li>
          <a href=${`#/sagas/${encodeURIComponent(step.saga_id)}`}><strong>${step.saga_id}</strong>
          <span>${step.step}, attempt ${step.attempt}, ${ago(step.since_ms)}</span><span class="why">${step.error}</span></a></li>`)}</ul>`
          : html`<${Nothing}>None does.<//>`}</section>`}`;
}
