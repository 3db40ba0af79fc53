// The console: who one is, where one is, and the page that is there.
import { get, logIn, logOut, onSessionLost, whoAmI } from "./api.js";
import { html, render, useEffect, useState } from "./dom.js";
import { Failure, useFetched } from "./parts.js";
import { Audit } from "./pages/audit.js";
import { Board } from "./pages/board.js";
import { Bulk } from "./pages/bulk.js";
import { Groups } from "./pages/groups.js";
import { Owed, OwedBar } from "./pages/owed.js";
import { Questions } from "./pages/questions.js";
import { SagaPage } from "./pages/saga.js";
import { Sagas } from "./pages/sagas.js";
import { Shop } from "./pages/shop.js";
import { Versions } from "./pages/versions.js";

const PAGES = [
  ["", "Board", Board],
  ["sagas", "Sagas", Sagas],
  ["groups", "Causes", Groups],
  ["questions", "Questions", Questions],
  ["owed", "Owed", Owed],
  ["bulk", "Bulk verbs", Bulk],
  ["versions", "Versions", Versions],
  ["audit", "Audit", Audit],
  ["shop", "Shop", Shop],
];

function here() {
  const [path, search = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [page = "", ...rest] = path.split("/").map(decodeURIComponent);
  return { page, id: rest.join("/"), search: new URLSearchParams(search) };
}

function useHere() {
  const [place, setPlace] = useState(here());
  useEffect(() => {
    const moved = () => setPlace(here());
    addEventListener("hashchange", moved);
    return () => removeEventListener("hashchange", moved);
  }, []);
  useEffect(() => {
    const main = document.querySelector("main");
    if (main) main.scrollTo(0, 0);
  }, [place.page, place.id]);
  return place;
}

function useTheme() {
  const [theme, setTheme] = useState(localStorage.getItem("theme") || "");
  useEffect(() => {
    if (theme) document.documentElement.dataset.theme = theme;
    else delete document.documentElement.dataset.theme;
    localStorage.setItem("theme", theme);
  }, [theme]);
  const isDark = theme ? theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  return [isDark, () => setTheme(isDark ? "light" : "dark")];
}

function LogIn({ onDone }) {
  const [key, setKey] = useState("");
  const [error, setError] = useState(null);
  const submit = async (event) => {
    event.preventDefault();
    try {
      onDone(await logIn(key.trim()));
    } catch (failed) {
      setError(failed);
    }
  };
  return html`<main class="log-in" id="main">
    <form onSubmit=${submit}>
      <h1><${Mark} /> Amends</h1>
      <label>Access key
        <input name="key" type="password" required autocomplete="current-password" value=${key}
          onInput=${(e) => setKey(e.target.value)} autofocus /></label>
      <${Failure} error=${error} />
      <button type="submit">Log in</button>
      <p class="hint">A key is made by <code>amends keys new NAME --scope read</code>.</p>
    </form>
  </main>`;
}

function Mark() {
  return html`<svg class="mark" viewBox="0 0 24 24" aria-hidden="true">
    <path class="forward" d="M3 8h15m-4-4 4 4-4 4" /><path class="undo" d="M21 17H8m4 4-4-4 4-4" /></svg>`;
}

function Console({ me, onLeave }) {
  const place = useHere();
  const [isDark, switchTheme] = useTheme();
  const [menu, setMenu] = useState(false);
  const definitions = useFetched(() => get("definitions"), [], { counts: () => false, everyMs: 60000 });
  const hasShop = (definitions.value || []).some((each) => each.name === "order" && each.is_known);
  const pages = PAGES.filter(([path]) => path !== "shop" || hasShop);
  const [, title, Page] = PAGES.find(([path]) => path === place.page) || ["", "Not found", Missing];
  const Shown = place.page === "sagas" && place.id ? SagaPage : Page;
  useEffect(() => {
    document.title = `${place.id || title} · Amends`;
    setMenu(false);
  }, [place.page, place.id, title]);
  const can = (scope) => me.scopes.includes(scope);
  return html`<div class="console">
    <a class="skip" href="#main" onClick=${(e) => { e.preventDefault(); document.getElementById("main").focus(); }}>To the page</a>
    <header class="top">
      <button class="menu quiet" aria-expanded=${menu} aria-controls="pages" onClick=${() => setMenu(!menu)}>Menu</button>
      <a class="home" href="#/"><${Mark} /> <span>Amends</span></a>
      <${OwedBar} />
      ${me.is_open && html`<span class="open-note" role="status">open to this machine: no keys</span>`}
      <button class="quiet icon" onClick=${switchTheme} aria-label=${isDark ? "Light" : "Dark"} title=${isDark ? "Light" : "Dark"}>${isDark ? "☀" : "☾"}</button>
      ${!me.is_open && html`<span class="me">${me.name}</span><button class="quiet" onClick=${onLeave}>Log out</button>`}
    </header>
    <nav id="pages" class=${menu ? "open" : ""} aria-label="Pages">
      ${pages.map(([path, name]) => html`<a href=${`#/${path}`} aria-current=${path === place.page ? "page" : undefined}>${name}</a>`)}
      <a class="away" href="docs" target="_blank" rel="noopener">API</a>
    </nav>
    <main id="main" tabindex="-1"><${Shown} key=${place.page + place.id} place=${place} can=${can} me=${me} /></main>
  </div>`;
}

function Missing() {
  return html`<h1>There is no such page</h1><p><a href="#/">To the board</a></p>`;
}

function App() {
  const [me, setMe] = useState(null);
  const [error, setError] = useState(null);
  const look = () => whoAmI().then(setMe, setError);
  useEffect(() => {
    onSessionLost(() => setMe({ name: "", scopes: [] }));
    look();
  }, []);
  if (error) return html`<main class="log-in"><${Failure} error=${error} /></main>`;
  if (!me) return html`<main class="log-in"><p class="nothing">…</p></main>`;
  if (!me.name) return html`<${LogIn} onDone=${setMe} />`;
  return html`<${Console} me=${me} onLeave=${() => logOut().then(look, look)} />`;
}

render(html`<${App} />`, document.getElementById("app"));
