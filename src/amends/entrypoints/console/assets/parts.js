// The small parts that pages share.
import { listen } from "./api.js";
import { html, useCallback, useEffect, useRef, useState } from "./dom.js";

const SETTLE_MS = 250; // what happens within it is one look

// What a function fetches: at once, again when something happened that counts, and every `everyMs`.
export function useFetched(fetch, deps, { counts = () => true, everyMs = 0 } = {}) {
  const [state, setState] = useState({ value: null, error: null, at: 0 });
  const current = useRef(0);
  const look = useCallback(async () => {
    const mine = ++current.current;
    try {
      const value = await fetch();
      if (mine === current.current) setState({ value, error: null, at: Date.now() });
    } catch (error) {
      if (mine === current.current) setState((before) => ({ ...before, error }));
    }
  }, deps);
  useEffect(() => {
    setState((before) => ({ ...before, error: null }));
    look();
    let timer = null;
    const soon = () => {
      if (timer === null) timer = setTimeout(() => { timer = null; look(); }, SETTLE_MS);
    };
    const stop = listen((event) => { if (event === null || counts(event)) soon(); });
    const again = everyMs ? setInterval(look, everyMs) : 0;
    return () => { stop(); clearTimeout(timer); clearInterval(again); current.current++; };
  }, [look]);
  return { ...state, look };
}

// The width of an element, in pixels, as it is now.
export function useWidth(place, first) {
  const [width, setWidth] = useState(first);
  useEffect(() => {
    const box = place.current;
    const resize = new ResizeObserver(() => { if (box.clientWidth) setWidth(box.clientWidth); });
    resize.observe(box);
    return () => resize.disconnect();
  }, []);
  return width;
}

export const STATUSES = {
  forward: ["→", "forward"], backward: ["←", "backward"], "needs operator": ["!", "needs operator"],
  completed: ["✓", "completed"], compensated: ["↩", "compensated"], abandoned: ["×", "abandoned"],
};
export const isOver = (saga) => ["completed", "compensated", "abandoned"].includes(saga.status);
export const placeOf = (sagaId) => `#/sagas/${encodeURIComponent(sagaId)}`;

export function Status({ status }) {
  const [sign, words] = STATUSES[status] || ["?", status];
  return html`<span class=${`status ${status.replace(" ", "-")}`}><span aria-hidden="true">${sign}</span> ${words}</span>`;
}

export function Failure({ error }) {
  if (!error) return null;
  const rule = error.problem && error.problem.rule;
  return html`<p class="failure" role="alert">${error.message}${rule && !error.message.includes(rule) ? ` (${rule})` : ""}</p>`;
}

export function Nothing({ children }) {
  return html`<p class="nothing">${children}</p>`;
}

export function Panel({ id, title, aside, children, isFlush = false }) {
  return html`<section class="panel" aria-labelledby=${id}>
    <div class="head"><h2 id=${id}>${title}</h2>${aside && html`<span class="hint">${aside}</span>`}</div>
    ${isFlush ? children : html`<div class="body">${children}</div>`}</section>`;
}

// A dialog, with whatever it asks; it closes by Escape, too, and gives the focus back to where it was.
export function Dialog({ title, onClose, onSubmit, children }) {
  const dialog = useRef(null);
  useEffect(() => { if (!dialog.current.open) dialog.current.showModal(); }, []);
  return html`<dialog ref=${dialog} onClose=${onClose} aria-labelledby="dialog-title">
    <form onSubmit=${(event) => { event.preventDefault(); onSubmit(); }}><h2 id="dialog-title">${title}</h2>${children}</form></dialog>`;
}

// A dialog that asks for a reason as well.
export function Ask({ title, action, onDone, onClose, children, tone = "" }) {
  const [reason, setReason] = useState("");
  const [error, setError] = useState(null);
  const [busy, setBusy] = useState(false);
  const submit = async () => {
    setBusy(true);
    try {
      await onDone(reason);
      onClose();
    } catch (failed) {
      setError(failed);
      setBusy(false);
    }
  };
  return html`<${Dialog} title=${title} onClose=${onClose} onSubmit=${submit}>
    ${children}
    <label>Reason, for the record
      <input name="reason" required maxlength="1000" value=${reason} onInput=${(e) => setReason(e.target.value)} autofocus /></label>
    <${Failure} error=${error} />
    <div class="buttons"><button type="button" class="quiet" onClick=${onClose}>Leave it</button>
      <button type="submit" class=${tone} disabled=${busy}>${action}</button></div><//>`;
}

export function Heading({ title, children }) {
  return html`<header class="heading"><h1>${title}</h1><div class="tools">${children}</div></header>`;
}
