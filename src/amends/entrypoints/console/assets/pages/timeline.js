// A saga as a picture of time: what went forward in one colour, what came back in another, tied to what it undoes.
import { html, useLayoutEffect, useRef, useState } from "../dom.js";
import { span } from "../format.js";

const LEFT = 210; // pixels for the names
const ROW = 46;
const TOP = 34;
const NEXT = 16; // between two things of one moment
const GAP = 26; // at least, between two moments
const RIGHT = 210; // for the name of an undo
const LEAST = 320; // that time takes: a phone scrolls
const ENDS = ["done", "refused", "unknown", "undone", "stuck"];

// Where everything is: the moments in order, and of each step its action, its undo, and how long it is held.
export function layout(timeline, nowMs, width) {
  const { saga, records } = timeline;
  const steps = saga.steps.map((step, row) => ({ ...step, row, marks: [], asked: null, did: null, back: null, undid: null }));
  const of = Object.fromEntries(steps.map((step) => [step.event, step]));
  const endMs = isOver(saga) ? saga.changed_ms : Math.max(nowMs, saga.changed_ms);
  const scale = width / Math.max(endMs - saga.started_ms, 1);
  let x = 0;
  const moments = [];
  let turned = null;
  for (const record of records) {
    x = Math.max(x + (moments.length ? GAP : 0), (record.at_ms - saga.started_ms) * scale);
    moments.push({ x, at_ms: record.at_ms });
    if (record.step && of[record.step] && (record.attempt > 1 || record.what === "timed out")) {
      of[record.step].marks.push({ x, text: record.text });
    }
    for (const [became, event] of record.changes) {
      if (became === "backward" && turned === null) turned = x;
      const step = of[event];
      if (!step) continue;
      place(step, became, x);
      x += NEXT;
    }
  }
  const end = Math.max(x, (endMs - saga.started_ms) * scale);
  return { steps, moments, turned, end: Math.max(end, 60), isOver: isOver(saga) };
}

const isOver = (saga) => ["completed", "compensated", "abandoned"].includes(saga.status);

function place(step, became, x) {
  if (became === "sent" || became === "resent" || became === "probing") {
    if (step.asked === null) step.asked = x;
  } else if (became === "undoing") {
    if (step.back === null) step.back = x;
  } else if (became === "undone") {
    if (step.back === null) step.back = x;
    step.undid = x + NEXT;
  } else if (ENDS.includes(became) && !(became === "stuck" && step.back !== null)) {
    if (step.asked === null) step.asked = x;
    step.did = x + NEXT;
  }
}

export function Timeline({ timeline, nowMs }) {
  const box = useRef(null);
  const [room, setRoom] = useState(0);
  useLayoutEffect(() => {
    const here = box.current;
    const resize = new ResizeObserver(() => setRoom(here.clientWidth));
    resize.observe(here);
    setRoom(here.clientWidth);
    return () => resize.disconnect();
  }, []);
  const seen = layout(timeline, nowMs, Math.max(room - LEFT - RIGHT - 16, LEAST));
  const { saga } = timeline;
  const width = LEFT + seen.end + RIGHT;
  const height = TOP + seen.steps.length * ROW + 12;
  const y = (row) => TOP + row * ROW + ROW / 2;
  const at = (x) => LEFT + x;
  const words = `${saga.name}: ${seen.steps.map((step) => `${step.event} ${step.back || step.outcome || "ahead"}`).join(", ")}`;
  return html`<div class="scroll timeline" ref=${box}><svg width=${width} height=${height} viewBox=${`0 0 ${width} ${height}`} role="img" aria-label=${words}>
    ${seen.turned !== null && html`<g class="turned"><rect x=${at(seen.turned)} y=${TOP - 8} width=${Math.max(seen.end - seen.turned + 40, 0)} height=${height - TOP} />
      <text x=${at(seen.turned) + 6} y=${TOP - 14}>turns back${saga.reason ? `: ${saga.reason.slice(0, 60)}` : ""}</text></g>`}
    ${seen.moments.map((moment, n) => html`<g class="moment"><line x1=${at(moment.x)} x2=${at(moment.x)} y1=${TOP - 4} y2=${height} />
      ${n && (n === seen.moments.length - 1 || moment.x - seen.moments[n - 1].x > 60) && seen.turned === null
        ? html`<text x=${at(moment.x)} y=${TOP - 14}>+${span(moment.at_ms - saga.started_ms)}</text>` : ""}</g>`)}
    ${seen.steps.map((step) => html`<${StepRow} key=${step.event} step=${step} y=${y(step.row)} at=${at} end=${seen.end} isOver=${seen.isOver} />`)}
  </svg></div>`;
}

function StepRow({ step, y, at, end, isOver }) {
  const state = step.back || step.outcome || "ahead";
  const running = step.asked !== null && step.did === null;
  const actionEnd = step.did === null ? end : step.did;
  const isHeld = step.outcome === "done" && step.back !== "undone" && !isOver;
  const heldEnd = step.back !== null && step.undid !== null ? step.undid : step.outcome === "done" ? end : null;
  const undoEnd = step.undid === null ? end : step.undid;
  return html`<g class=${`step ${state}`}>
    <text class="name" x="6" y=${y - 2}>${step.event}</text>
    <text class="service" x="6" y=${y + 13}>${step.service}${step.attempts > 1 ? ` · ${step.attempts} attempts` : ""}</text>
    ${step.asked === null && html`<line class="ahead" x1=${at(0)} x2=${at(end)} y1=${y} y2=${y} />`}
    ${step.did !== null && heldEnd !== null && heldEnd > step.did && html`<line class=${`held ${isHeld ? "now" : ""}`} x1=${at(step.did)} x2=${at(heldEnd)} y1=${y - 5} y2=${y - 5} />`}
    ${step.asked !== null && html`<line class=${`forward ${step.outcome} ${running ? "running" : ""}`} x1=${at(step.asked)} x2=${at(Math.max(actionEnd, step.asked + 10))} y1=${y - 5} y2=${y - 5} />`}
    ${step.did !== null && html`<circle class=${`end ${step.outcome}`} cx=${at(step.did)} cy=${y - 5} r="5"><title>${step.event} ${step.outcome}${step.error ? `: ${step.error}` : ""}</title></circle>`}
    ${step.back !== null && html`
      <line class=${`undo ${step.undid === null ? "running" : ""}`} x1=${at(step.back)} x2=${at(Math.max(undoEnd, step.back + 10))} y1=${y + 9} y2=${y + 9} />
      ${step.did !== null && html`<path class="tie" d=${`M ${at(Math.max(undoEnd, step.back + 10))} ${y + 9} q 14 -7 0 -14`} />`}
      ${step.undid !== null && html`<path class="arrow" d=${`M ${at(step.back) + 7} ${y + 4} l -7 5 7 5`} />`}
      <text class="undone" x=${at(Math.max(undoEnd, step.back + 10)) + 14} y=${y + 12}>${step.undone || "undoing"}</text>`}
    ${step.marks.map((mark) => html`<circle class="mark" cx=${at(mark.x)} cy=${y - 5} r="3"><title>${mark.text}</title></circle>`)}
  </g>`;
}
