// Times, spans and numbers, for people.

export function span(ms) {
  const s = Math.max(ms, 0) / 1000;
  if (s < 1) return `${Math.round(s * 1000)} ms`;
  if (s < 60) return `${s < 10 ? s.toFixed(1) : Math.round(s)} s`;
  if (s < 3600) return `${Math.round(s / 60)} min`;
  if (s < 172800) return `${Math.round(s / 3600)} h`;
  return `${Math.round(s / 86400)} d`;
}

export const ago = (ms, now = Date.now()) => (ms === null || ms === undefined ? "" : `${span(now - ms)} ago`);

export const moment = (ms) => (ms ? new Date(ms).toISOString().replace("T", " ").replace("Z", "Z") : "");

export const number = (value) => new Intl.NumberFormat("en").format(value).replaceAll(",", "\u202f");

export const json = (value) => (typeof value === "string" ? value : JSON.stringify(value));

export const short = (text, most = 120) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);
