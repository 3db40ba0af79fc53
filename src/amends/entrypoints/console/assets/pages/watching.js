// A saga that is watched: looked at anew when something happens to it, and growing meanwhile.
import { get } from "../api.js";
import { html, useEffect, useState } from "../dom.js";
import { isOver, useFetched } from "../parts.js";
import { Timeline } from "./timeline.js";

const TICK_MS = 500; // a running step grows

async function looked(id) {
  const timeline = await get(`sagas/${encodeURIComponent(id)}/timeline`);
  const owed = isOver(timeline.saga) ? [] : (await get(`owed?saga_id=${encodeURIComponent(id)}`)).entries;
  return { timeline, held: owed.filter((entry) => entry.kind === "held") };
}

export function useSaga(id) {
  const { value, error, look } = useFetched(() => looked(id), [id], { counts: (event) => event.subject === id });
  const [nowMs, setNow] = useState(Date.now());
  const isEnded = value && isOver(value.timeline.saga);
  useEffect(() => {
    if (!value || isEnded) return undefined;
    const timer = setInterval(() => setNow(Date.now()), TICK_MS);
    return () => clearInterval(timer);
  }, [Boolean(value), isEnded]);
  return { value, error, look, nowMs, isEnded };
}

export function Picture({ value, nowMs }) {
  return html`<${Timeline} timeline=${value.timeline} nowMs=${nowMs} held=${value.held} />
    <div class="legend" aria-hidden="true"><span class="forward">forward</span><span class="held">held until it is settled</span><span class="undo">undone</span><span class="refused">refused</span></div>`;
}
