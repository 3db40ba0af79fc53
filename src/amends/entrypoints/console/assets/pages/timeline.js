// A saga as a picture of time: what went forward in one colour, what came back in another, tied to what it undoes, and
// what is held meanwhile as a bar. Moments are as far apart as they were, and never so near that they cannot be told apart.
import { html, useRef } from "../dom.js";
import { number, span } from "../format.js";
import { isOver, useWidth } from "../parts.js";

const NARROW = 620; // pixels below which a step's name stands above its bars
const NEAR = 14; // pixels between two things of one moment
const APART = 20; // between two moments, at least
const BAR = 8;
const UNDO_BELOW = 16; // of the undo's bar below the action's
const LETTER = 8; // pixels, of the small capitals that steps are named by
const TICKS_APART = 64;
const ATTEMPTS_APART = 12;
const ENDS = ["done", "refused", "unknown", "undone", "stuck"];

// What happened, in order: each thing at its time, in milliseconds after the start.
function happenings({ saga, records }, endMs) {
  const steps = new Set(saga.steps.map((step) => step.event));
  const found = [];
  for (const record of records) {
    const at = record.at_ms - saga.started_ms;
    const changes = record.changes.filter(([became, event]) => became === "backward" || steps.has(event));
    found.push({ at, isMoment: changes.some(([became]) => became !== "resent"), record });
    for (const [became, event] of changes) found.push({ at, became, event, isAgain: became === "resent" });
  }
  found.push({ at: Math.max(endMs - saga.started_ms, 0), isMoment: true, isEnd: true });
  return found;
}

// Where each of them is, within a width; what is wider scrolls.
function placed(found, width) {
  const leastOf = (each) => (each.isMoment ? APART : each.record || each.isAgain ? 0 : NEAR);
  const least = found.map((each, n) => (n ? leastOf(each) : 0));
  const needed = least.reduce((sum, each) => sum + each, 0);
  const total = Math.max(found.at(-1).at, 1);
  const scale = Math.max(width - needed, 0) / total;
  let x = 0;
  let last = 0;
  return found.map((each, n) => {
    x += least[n] + (each.at - last) * scale;
    last = each.at;
    return { ...each, x };
  });
}

export function layout(timeline, nowMs, width) {
  const { saga } = timeline;
  const endMs = isOver(saga) ? saga.changed_ms : Math.max(nowMs, saga.changed_ms);
  const seen = placed(happenings(timeline, endMs), width);
  const steps = saga.steps.map((step) => ({ ...step, attemptsAt: [], asked: null, did: null, back: null, undid: null }));
  const of = Object.fromEntries(steps.map((step) => [step.event, step]));
  let turned = null;
  for (const { x, became, event, record } of seen) {
    if (record && record.step && of[record.step] && record.attempt > 1) of[record.step].attemptsAt.push({ x, kind: record.kind, text: record.text });
    if (became === "backward" && turned === null) turned = x;
    else if (of[event]) place(of[event], became, x);
  }
  return { steps, moments: seen.filter((each) => each.record && each.isMoment), turned, end: seen.at(-1).x };
}

function place(step, became, x) {
  if (["sent", "resent", "probing"].includes(became)) {
    if (step.asked === null) step.asked = x;
  } else if (became === "undoing") {
    if (step.back === null) step.back = x;
  } else if (became === "undone") {
    if (step.back === null) step.back = x - NEAR;
    step.undid = x;
  } else if (ENDS.includes(became) && !(became === "stuck" && step.back !== null)) {
    if (step.asked === null) step.asked = x - NEAR;
    step.did = x;
  }
}

export function Timeline({ timeline, nowMs, held }) {
  const box = useRef(null);
  const width = useWidth(box, 900);
  const isNarrow = width < NARROW;
  const left = isNarrow ? 16 : 216;
  const right = isNarrow ? 24 : 48;
  const row = isNarrow ? 66 : 52;
  const top = 44;
  const seen = layout(timeline, nowMs, width - left - right);
  const { saga } = timeline;
  const whole = Math.max(left + seen.end + right, width);
  const height = top + seen.steps.length * row;
  const words = `${saga.name}: ${seen.steps.map((step) => `${step.event} ${step.back || step.outcome || "ahead"}`).join(", ")}`;
  return html`<div class="scroll timeline" ref=${box} role="region" aria-label="Timeline" tabindex="0">
    <svg style=${{ width: `${whole}px` }} viewBox=${`0 0 ${whole} ${height}`} role="img" aria-label=${words}>
      ${seen.turned !== null && html`<rect class="back" x=${left + seen.turned} y=${top - 10} width=${whole - left - seen.turned} height=${height - top + 10} />
        <line class="turn" x1=${left + seen.turned} x2=${left + seen.turned} y1=${top - 10} y2=${height} />`}
      <${Ticks} moments=${seen.moments} saga=${saga} left=${left} y=${14} />
      ${seen.turned !== null && html`<text class="turned" x=${Math.min(left + seen.turned + 6, whole - 90)} y=${top - 14}>turns back</text>`}
      ${seen.steps.map((step, n) => html`<${StepRow} key=${step.event} step=${step} y=${top + n * row} left=${left} end=${seen.end} whole=${whole}
        isNarrow=${isNarrow} isOver=${isOver(saga)} holds=${held.filter((each) => each.step === step.event)} />`)}
    </svg></div>`;
}

// Those that are so far apart, from left to right.
function apart(things, least) {
  let last = -least;
  return things.filter(({ x }) => (x - last >= least ? ((last = x), true) : false));
}

function Ticks({ moments, saga, left, y }) {
  return apart(moments, TICKS_APART).map(({ x, at }) => html`<text class="tick" x=${left + x} y=${y}>${at ? `+${span(at)}` : "start"}</text>`);
}

function StepRow({ step, y, left, end, whole, isNarrow, isOver: isEnded, holds }) {
  const at = (x) => left + x;
  const lane = y + (isNarrow ? 26 : 12);
  const name = isNarrow ? [left, y + 14] : [16, lane + 4];
  const isAhead = step.asked === null;
  const isRunning = !isAhead && step.did === null;
  const didAt = isRunning ? end : step.did;
  const heldTo = step.undid ?? (step.back !== null || (!isEnded && step.outcome === "done") ? end : null);
  const isHeld = step.outcome === "done" && step.did !== null && heldTo !== null && heldTo > step.did ;
  const attempts = step.attempts > 1 ? ` · ${step.attempts} attempts` : "";
  return html`<g>
    <line class="lane" x1=${isNarrow ? 0 : 16} x2=${whole} y1=${y - 4} y2=${y - 4} />
    <text class=${isAhead ? "name ahead-name" : "name"} x=${name[0]} y=${name[1]}>${step.event}${isNarrow && html`<tspan class="service" dx="8" font-weight="400">${step.service}${attempts}</tspan>`}</text>
    ${!isNarrow && html`<text class="service" x="16" y=${lane + 20}>${step.service}${attempts}</text>`}
    ${isAhead && html`<line class="ahead" x1=${at(0)} x2=${at(end)} y1=${lane + BAR / 2} y2=${lane + BAR / 2} />`}
    ${isHeld && html`<rect class="holds" x=${at(step.did)} y=${lane} width=${heldTo - step.did} height=${BAR} rx="2" />`}
    ${isHeld && holds.length > 0 && heldTo - step.did > 90 && step.back === null && html`<text class="holds-text" x=${at(step.did) + 10} y=${lane + 22}>holds ${holds.map((each) => (each.amount === null ? each.what : `${number(Math.abs(each.amount))} ${each.what}`)).join(", ")}</text>`}
    ${!isAhead && html`<rect class=${`do ${step.outcome} ${isRunning ? "running" : ""}`} x=${at(step.asked)} y=${lane} width=${Math.max(didAt - step.asked, 3)} height=${BAR} rx="4" />`}
    ${apart(step.attemptsAt.filter((each) => each.kind !== "undo"), ATTEMPTS_APART).map((each) => html`<circle class="attempt" cx=${at(each.x)} cy=${lane + BAR / 2} r="3"><title>${each.text}</title></circle>`)}
    ${step.did !== null && html`<circle class=${`end ${step.outcome}`} cx=${at(step.did)} cy=${lane + BAR / 2} r="5"><title>${step.event} ${step.outcome}${step.error ? `: ${step.error}` : ""}</title></circle>`}
    ${step.back !== null && html`<${Undo} step=${step} at=${at} lane=${lane} end=${end} whole=${whole} />`}
  </g>`;
}

// An undo comes back: its bar has its arrow on the left, and is tied to the end of what was held until it was through.
function Undo({ step, at, lane, end, whole }) {
  const y = lane + UNDO_BELOW;
  const mid = y + BAR / 2;
  const from = at(step.back);
  const to = at(Math.max(step.undid ?? end, step.back + 10));
  const isStuck = step.back !== null && step.undo_error && step.undid === null;
  const tone = isStuck ? "stuck" : "";
  const words = isStuck ? `undo: ${step.undo_error}` : step.undone || "undo";
  const isRoom = to + 12 + words.length * LETTER < whole;
  return html`
    <path class=${`un ${tone} ${step.undid === null && !isStuck ? "running" : ""}`} d=${`M ${from - 7} ${mid} l 8 -7 v 3 H ${to} v 8 H ${from + 1} v 3 z`} />
    <path class=${`tie ${tone}`} d=${`M ${to} ${mid} c 10 0 10 ${-UNDO_BELOW} 0 ${-UNDO_BELOW}`} />
    <text class=${`un-text ${tone}`} x=${isRoom ? to + 12 : from - 12} y=${mid + 4} text-anchor=${isRoom ? "start" : "end"}>${words}</text>
    ${step.attemptsAt.filter((each) => each.kind === "undo").map((each) => html`<circle class="attempt" cx=${at(each.x)} cy=${mid} r="3"><title>${each.text}</title></circle>`)}`;
}
