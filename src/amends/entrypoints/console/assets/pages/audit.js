// The audit: where it ends, whether all of it is as it was written, and its blocks.
import { get, post } from "../api.js";
import { html, useState } from "../dom.js";
import { moment, number } from "../format.js";
import { Failure, Heading, useFetched } from "../parts.js";

export function Audit({ can }) {
  if (!can("audit")) return html`<${Heading} title="Audit" /><p class="nothing">This needs a key with the scope audit.</p>`;
  return html`<${AuditSeen} />`;
}

function AuditSeen() {
  const { value, error } = useFetched(() => get("audit/head"), []);
  const [verdict, setVerdict] = useState(null);
  const [failed, setFailed] = useState(null);
  const [busy, setBusy] = useState(false);
  const verify = async () => {
    setBusy(true);
    try {
      setVerdict(await post("audit/verify"));
      setFailed(null);
    } catch (problem) {
      setFailed(problem);
    }
    setBusy(false);
  };
  return html`<${Heading} title="Audit"><button disabled=${busy} onClick=${verify}>${busy ? "Verifying…" : "Verify all of it"}</button><//>
    <${Failure} error=${error || failed} />
    ${verdict && html`<section class=${`verdict ${verdict.verdict}`} role="status"><h2>${verdict.verdict === "held" ? "All is as it was written" : "Not all is as it was written"}</h2>
      <p>${number(verdict.blocks)} blocks, ${number(verdict.records)} records, ${number(verdict.sagas)} sagas, in ${verdict.seconds} s</p>
      ${verdict.findings.map((finding) => html`<p class="failure">${finding.where}: ${finding.what}</p>`)}</section>`}
    ${value && html`<p>Keep this line elsewhere: a later verification is held to it.</p><p><code class="head">${value.head}</code></p>
      ${value.chains.map((chain) => html`<${Blocks} key=${chain.chain + chain.number} chain=${chain} />`)}`}`;
}

function Blocks({ chain }) {
  const after = Math.max(chain.number - 25, 0);
  const { value, error } = useFetched(() => get(`audit/blocks?chain=${encodeURIComponent(chain.chain)}&after=${after}&limit=25`), [chain.chain, after], { counts: () => false });
  return html`<section><h2>The last blocks${chain.chain && ` of ${chain.chain}`}</h2><${Failure} error=${error} />
    ${value && html`<div class="scroll"><table><thead><tr><th class="n">block</th><th>time</th><th>hash</th><th>what</th></tr></thead>
      <tbody>${[...value.blocks].reverse().map((block) => html`<tr><td class="n">${block.number}</td><td>${moment(block.at_ms)}</td><td><code>${block.head.slice(0, 12)}</code></td>
        <td>${block.records.slice(0, 5).map((record) => html`<div>${record.saga_id && html`<a href=${`#/sagas/${encodeURIComponent(record.saga_id)}`}>${record.saga_id}</a>`} ${record.what}</div>`)}${block.records.length > 5 ? `and ${block.records.length - 5} more` : ""}</td></tr>`)}</tbody></table></div>`}</section>`;
}
