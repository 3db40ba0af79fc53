// The HTTP API, as the pages ask it. All addresses are relative: the console works below any path.

export class ApiError extends Error {
  constructor(status, problem) {
    super(problem.detail || `the server answered ${status}`);
    this.status = status;
    this.problem = problem;
  }
}

const session = { csrf: "", lost: () => {} };

export function onSessionLost(tell) {
  session.lost = tell;
}

export async function call(method, path, body, headers = {}) {
  const sent = { ...headers };
  if (session.csrf && method !== "GET") sent["X-Amends-CSRF"] = session.csrf;
  if (body !== undefined) sent["Content-Type"] = "application/json";
  let answer;
  try {
    answer = await fetch(path.replace(/^\//, ""), {
      method,
      headers: sent,
      credentials: "same-origin",
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch {
    throw new ApiError(0, { detail: "the server is away" });
  }
  const text = await answer.text();
  const value = text ? parsed(text) : null;
  if (!answer.ok) {
    if (answer.status === 401) session.lost();
    throw new ApiError(answer.status, value || {});
  }
  return value;
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return { detail: text.slice(0, 200) };
  }
}

export const get = (path) => call("GET", path);
export const post = (path, body, headers) => call("POST", path, body, headers);
export const put = (path, body) => call("PUT", path, body);

export async function whoAmI() {
  return remembered(await get("session"));
}

export async function logIn(key) {
  return remembered(await post("session", { key }));
}

export async function logOut() {
  await call("DELETE", "session");
  session.csrf = "";
}

function remembered(seen) {
  session.csrf = seen.csrf;
  return seen;
}

export const query = (values) => {
  const pairs = Object.entries(values).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value]).filter((each) => each).map((each) => [name, each]),
  );
  const text = new URLSearchParams(pairs).toString();
  return text ? `?${text}` : "";
};

// A key for each request that starts something: the request may be repeated under it, and is carried out once.
export function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

// What happens, live: one stream for all pages. Each listener is told an event, or null where it has to look anew.
const listeners = new Set();
let stream = null;

export function listen(told) {
  listeners.add(told);
  if (!stream) begin();
  return () => {
    listeners.delete(told);
    if (!listeners.size && stream) {
      stream.close();
      stream = null;
    }
  };
}

function begin() {
  stream = new EventSource("events");
  stream.onmessage = (message) => tellAll(parsed(message.data));
  stream.addEventListener("reset", () => tellAll(null));
  stream.onerror = () => {
    if (stream && stream.readyState === EventSource.CLOSED) {
      stream = null;
      setTimeout(() => listeners.size && !stream && begin(), 2000);
    }
  };
}

function tellAll(event) {
  for (const told of listeners) told(event);
}
