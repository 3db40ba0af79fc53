// What people are asked, and what participants answer later: answered here.
import { get, post } from "../api.js";
import { html, useState } from "../dom.js";
import { ago, moment } from "../format.js";
import { Ask, Failure, Heading, Nothing, useFetched } from "../parts.js";

export function Questions({ can }) {
  const { value, error, look } = useFetched(() => get("questions?limit=200"), [], { everyMs: 5000 });
  const [asked, setAsked] = useState(null);
  return html`<${Heading} title="Questions" />
    <p class="hint">What sagas wait for people to answer, and for participants that answer later.</p>
    <${Failure} error=${error} />
    ${value && !value.length && html`<${Nothing}>Nothing is asked.<//>`}
    ${value && value.length > 0 && html`<ul class="rows">${value.map((question) => html`<li>
      <a href=${`#/sagas/${encodeURIComponent(question.saga_id)}`}><strong>${question.step}</strong>
        <span>asks ${question.assignee}</span><span class="when">${ago(question.since_ms)}</span>
        <span class="why whole">${question.name} <span class="id">${question.saga_id}</span>, until ${moment(question.until_ms)}</span></a>
      ${can("operate") && html`<button onClick=${() => setAsked(question)}>Answer…</button>`}</li>`)}</ul>`}
    ${asked && html`<${Answer} question=${asked} onClose=${() => { setAsked(null); look(); }} />`}`;
}

function Answer({ question, onClose }) {
  const [came, setCame] = useState("done");
  const [said, setSaid] = useState("");
  const outcome = () => {
    if (came === "refused") return { refused: said };
    try {
      return { done: said ? JSON.parse(said) : null };
    } catch {
      return { done: said };
    }
  };
  return html`<${Ask} title=${`${question.step} of ${question.name} ${question.saga_id}`} action="Answer" onClose=${onClose}
      onDone=${(reason) => post("answers", { key: question.key, outcome: outcome(), reason })}>
    <label>Answer<select name="outcome" value=${came} onChange=${(e) => setCame(e.target.value)}><option value="done">yes, done</option><option value="refused">no</option></select></label>
    <label>${came === "done" ? "What is answered (JSON, or text; empty for nothing)" : "Why not"}<input name="said" required=${came === "refused"} value=${said} onInput=${(e) => setSaid(e.target.value)} /></label>
  <//>`;
}
