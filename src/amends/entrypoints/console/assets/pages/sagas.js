// Sagas as a query: the address is the query, so that it can be handed on. Rows beyond the window are not drawn.
import { get, query } from "../api.js";
import { html, useCallback, useEffect, useRef, useState } from "../dom.js";
import { ago, counted } from "../format.js";
import { Failure, Heading, Nothing, Status, useFetched } from "../parts.js";
import { BulkAsk } from "./bulk.js";

const PAGE = 200;
const ROW = 56; // pixels
const BEYOND = 10; // rows above and below the window
const VIEWS = [
  ["", "All"], ["forward", "Forward"], ["backward", "Turning back"], ["needs-operator", "Need an operator"], ["failing", "Failing"],
  ["owed", "Owed"], ["completed", "Completed"], ["compensated", "Compensated"], ["abandoned", "Abandoned"],
];

const filterOf = (search) => ({
  status: search.getAll("status"), definition: search.get("definition") || "", service: search.get("service") || "", step: search.get("step") || "",
});

export function Sagas({ place, can }) {
  const filter = filterOf(place.search);
  const text = query(filter);
  const [ask, setAsk] = useState(false);
  const go = (change) => { location.hash = `#/sagas${query({ ...filter, ...change })}`; };
  return html`<${Heading} title="Sagas">
      ${can("operate") && html`<button class="quiet" onClick=${() => setAsk(true)}>A verb for all of these…</button>`}
    <//>
    <nav class="chips" aria-label="By status">${VIEWS.map(([status, name]) => html`<a href=${`#/sagas${query({ ...filter, status: status ? [status] : [] })}`}
      aria-current=${filter.status.join() === status ? "true" : undefined}>${name}</a>`)}</nav>
    <form class="filters" role="search" aria-label="Sagas" onSubmit=${(e) => e.preventDefault()}>
      <${Word} label="Definition" value=${filter.definition} onChange=${(definition) => go({ definition })} />
      <${Word} label="Waits for service" value=${filter.service} onChange=${(service) => go({ service })} />
      <${Word} label="Waits for step" value=${filter.step} onChange=${(step) => go({ step })} />
    </form>
    <${SagaList} key=${text} text=${text} />
    ${ask && html`<${BulkAsk} filter=${filter} onClose=${() => setAsk(false)} />`}`;
}

function Word({ label, value, onChange }) {
  const [text, setText] = useState(value);
  useEffect(() => setText(value), [value]);
  return html`<label>${label}<input value=${text} onInput=${(e) => setText(e.target.value)} onChange=${(e) => onChange(e.target.value.trim())} /></label>`;
}

function SagaList({ text }) {
  const [more, setMore] = useState({ rows: [], after: undefined });
  const first = useFetched(() => get(`sagas${text ? `${text}&` : "?"}limit=${PAGE}`), [text]);
  const box = useRef(null);
  const [top, setTop] = useState(0);
  const [height, setHeight] = useState(600);
  const busy = useRef(false);
  const head = first.value ? first.value.sagas : [];
  const known = new Set(head.map((saga) => saga.saga_id));
  const rows = [...head, ...more.rows.filter((saga) => !known.has(saga.saga_id))];
  const after = more.after === undefined ? first.value && first.value.after : more.after;
  const fetchMore = useCallback(async () => {
    if (busy.current || !after) return;
    busy.current = true;
    try {
      const page = await get(`sagas${text ? `${text}&` : "?"}limit=${PAGE}&after=${encodeURIComponent(after)}`);
      setMore((before) => ({ rows: [...before.rows, ...page.sagas], after: page.after }));
    } catch {
      // the next scroll asks again
    } finally {
      busy.current = false;
    }
  }, [after, text]);
  useEffect(() => {
    if (!box.current) return undefined;
    const here = box.current;
    const resize = new ResizeObserver(() => setHeight(here.clientHeight));
    resize.observe(here);
    return () => resize.disconnect();
  }, [Boolean(first.value)]);
  useEffect(() => {
    if (rows.length && (top + height) / ROW > rows.length - PAGE / 2) fetchMore();
  }, [top, height, rows.length, fetchMore]);
  if (first.error) return html`<${Failure} error=${first.error} />`;
  if (!first.value) return html`<${Nothing}>…<//>`;
  if (!rows.length) return html`<${Nothing}>No saga is like that.<//>`;
  const from = Math.max(Math.floor(top / ROW) - BEYOND, 0);
  const to = Math.min(Math.ceil((top + height) / ROW) + BEYOND, rows.length);
  return html`
    <p class="hint" role="status">${counted(rows.length, "saga", "sagas")}${after ? " and more" : ""}, the one that started last first; the address of this page finds them again</p>
    <div class="window" ref=${box} onScroll=${(e) => setTop(e.currentTarget.scrollTop)} tabindex="0" role="list" aria-label="Sagas" data-rows=${rows.length}>
      <div style=${{ height: `${rows.length * ROW}px` }}>
        <div style=${{ transform: `translateY(${from * ROW}px)` }}>${rows.slice(from, to).map((saga) => html`<${Row} key=${saga.saga_id} saga=${saga} />`)}</div>
      </div>
    </div>`;
}

function Row({ saga }) {
  const why = saga.waits_for || saga.reason;
  return html`<div role="listitem" class="row"><a href=${`#/sagas/${encodeURIComponent(saga.saga_id)}`}>
    <${Status} status=${saga.status} /><span class="what">${saga.name}<small class="id">${saga.saga_id}</small></span><span class="when">${ago(saga.started_ms)}</span>
    <span class="why" title=${why}>${saga.owed.length ? html`<strong class="bad">owed: ${saga.owed.join(", ")} </strong>` : ""}${why}</span></a></div>`;
}
