// Times, spans and numbers, for people.

export function span(ms) {
  const s = Math.max(ms, 0) / 1000;
  if (s < 1) return `${Math.round(s * 1000)} ms`;
  if (s < 60) return `${s < 10 ? s.toFixed(1) : Math.round(s)} s`;
  if (s < 3600) return `${Math.round(s / 60)} min`;
  if (s < 172800) return `${Math.round(s / 3600)} h`;
  return `${Math.round(s / 86400)} d`;
}

export const ago = (ms, now = Date.now()) => {
  if (ms === null || ms === undefined) return "";
  return now - ms < 1000 ? "just now" : `${span(Math.floor((now - ms) / 1000) * 1000).replace(".0", "")} ago`;
};

export const moment = (ms) => (ms ? new Date(ms).toISOString().slice(0, 19).replace("T", " ") + " UTC" : "");

export const number = (value) => new Intl.NumberFormat("en", { maximumFractionDigits: 2 }).format(value).replaceAll(",", "\u202f");

export const json = (value) => (typeof value === "string" ? value : JSON.stringify(value));

export const counted = (count, one, many) => `${number(count)} ${count === 1 ? one : many}`;
