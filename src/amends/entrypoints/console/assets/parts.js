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

export const STATUS_SIGNS = {
  forward: "→", backward: "↩", "needs operator": "!", completed: "✓", compensated: "↺", abandoned: "×",
};

export function Status({ status }) {
  return html`<span class=${`status ${status.replace(" ", "-")}`}>
    <span aria-hidden="true">${STATUS_SIGNS[status] || "?"}</span> ${status}</span>`;
}

export function Failure({ error }) {
  if (!error) return null;
  return html`<p class="failure" role="alert">${error.message}${
    error.problem && error.problem.rule && !error.message.includes(error.problem.rule) ? ` (${error.problem.rule})` : ""}</p>`;
}

export function Nothing({ children }) {
  return html`<p class="nothing">${children}</p>`;
}

// A dialog that asks for a reason, and whatever else its children ask.
export function Ask({ title, action, onDone, onClose, children, needsReason = true, tone = "" }) {
  const [reason, setReason] = useState("");
  const [error, setError] = useState(null);
  const [busy, setBusy] = useState(false);
  const dialog = useRef(null);
  useEffect(() => { if (!dialog.current.open) dialog.current.showModal(); }, []);
  const submit = async (event) => {
    event.preventDefault();
    setBusy(true);
    try {
      await onDone(reason);
      onClose();
    } catch (failed) {
      setError(failed);
      setBusy(false);
    }
  };
  return html`<dialog ref=${dialog} onClose=${onClose} aria-labelledby="ask-title">
    <form onSubmit=${submit}>
      <h2 id="ask-title">${title}</h2>
      ${children}
      ${needsReason && html`<label>Reason, for the record
        <input name="reason" required maxlength="1000" value=${reason} onInput=${(e) => setReason(e.target.value)} autofocus /></label>`}
      <${Failure} error=${error} />
      <div class="buttons">
        <button type="button" class="quiet" onClick=${onClose}>Leave it</button>
        <button type="submit" class=${tone} disabled=${busy}>${action}</button>
      </div>
    </form>
  </dialog>`;
}

export function Heading({ title, children }) {
  return html`<header class="heading"><h1>${title}</h1><div class="tools">${children}</div></header>`;
}
