// The audit: where it ends, whether all of it is as it was written, and its blocks.
import { get, post } from "../api.js";
import { html, useState } from "../dom.js";
import { moment, number } from "../format.js";
import { Failure, Heading, Nothing, Panel, placeOf, useFetched } from "../parts.js";

const BLOCKS = 25;
const RECORDS = 5; // of a block

export function Audit({ can }) {
  if (!can("audit")) return html`<${Heading} title="Audit" /><${Nothing}>This needs a key with the scope audit.<//>`;
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
    ${verdict && html`<${Verdict} of=${verdict} />`}
    ${value && html`<${Panel} id="head" title="Keep this line elsewhere: a later verification is held to it"><code class="line-of-head">${value.head}</code><//>
      ${value.chains.map((chain) => html`<${Blocks} key=${chain.chain + chain.number} chain=${chain} />`)}`}`;
}

function Verdict({ of }) {
  return html`<section class=${`panel verdict ${of.verdict}`} role="status"><h2>${of.verdict === "held" ? "All is as it was written" : "Not all is as it was written"}</h2>
    <p class="hint">${number(of.blocks)} blocks, ${number(of.records)} records, ${number(of.sagas)} sagas, in ${of.seconds} s</p>
    ${of.findings.map((finding) => html`<p class="failure">${finding.where}: ${finding.what}</p>`)}</section>`;
}

function Blocks({ chain }) {
  const after = Math.max(chain.number - BLOCKS, 0);
  const { value, error } = useFetched(() => get(`audit/blocks?chain=${encodeURIComponent(chain.chain)}&after=${after}&limit=${BLOCKS}`), [chain.chain, after], { counts: () => false });
  const id = `blocks${chain.chain}`;
  return html`<${Panel} id=${id} title=${`The last blocks${chain.chain && ` of ${chain.chain}`}`}><${Failure} error=${error} />
    ${value && html`<div class="scroll" role="region" aria-labelledby=${id} tabindex="0"><table><thead><tr><th class="n">block</th><th>time</th><th>hash</th><th>what</th></tr></thead>
      <tbody>${[...value.blocks].reverse().map((block) => html`<tr><td class="n">${block.number}</td><td class="when">${moment(block.at_ms)}</td><td><code>${block.head.slice(0, 12)}</code></td>
        <td>${block.records.slice(0, RECORDS).map((record) => html`<div><${Record} of=${record} /></div>`)}${block.records.length > RECORDS ? `and ${block.records.length - RECORDS} more` : ""}</td></tr>`)}</tbody></table></div>`}<//>`;
}

function Record({ of }) {
  if (!of.saga_id) return of.what;
  return of.saga_id.includes(" ") ? html`<span class="id">${of.saga_id}</span> ${of.what}` : html`<a class="id" href=${placeOf(of.saga_id)}>${of.saga_id}</a> ${of.what}`;
}
