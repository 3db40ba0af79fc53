// The console: who one is, where one is, and the page that is there.
import { get, logIn, logOut, onSessionLost, whoAmI } from "./api.js";
import { html, render, useEffect, useRef, useState } from "./dom.js";
import { Failure, useFetched } from "./parts.js";
import { Audit } from "./pages/audit.js";
import { Board } from "./pages/board.js";
import { Bulk } from "./pages/bulk.js";
import { Groups } from "./pages/groups.js";
import { Owed, OwedBar } from "./pages/owed.js";
import { Questions } from "./pages/questions.js";
import { SagaPage } from "./pages/saga.js";
import { Sagas } from "./pages/sagas.js";
import { Shop, isShopServed } from "./pages/shop.js";
import { Versions } from "./pages/versions.js";

const PAGES = [
  ["", "Board", Board], ["sagas", "Sagas", Sagas], ["groups", "Causes", Groups], ["questions", "Questions", Questions],
  ["owed", "Owed", Owed], ["bulk", "Bulk verbs", Bulk], ["versions", "Versions", Versions], ["audit", "Audit", Audit],
  ["shop", "Shop", Shop],
];
const RULES_BEFORE = ["versions", "shop"];

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
  return place;
}

function useTheme() {
  const [theme, setTheme] = useState(localStorage.getItem("theme") || "");
  const isDark = theme ? theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  const switchTo = (chosen) => {
    document.documentElement.dataset.theme = chosen;
    localStorage.setItem("theme", chosen);
    setTheme(chosen);
  };
  return [isDark, () => switchTo(isDark ? "light" : "dark")];
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
      <p class="hint">A key is made by <code>amends keys new</code>.</p>
    </form>
  </main>`;
}

function Mark() {
  return html`<svg class="mark" viewBox="0 0 24 24" aria-hidden="true">
    <path class="forward" d="M3 8h15m-4-4 4 4-4 4" /><path class="undo" d="M21 17H8m4 4-4-4 4-4" /></svg>`;
}

function Side({ place, me, hasShop, onLeave }) {
  const [isOpen, setOpen] = useState(false);
  const [isDark, switchTheme] = useTheme();
  useEffect(() => setOpen(false), [place]);
  const pages = PAGES.filter(([path]) => path !== "shop" || hasShop);
  const scheme = isDark ? "Light" : "Dark";
  return html`<header class="side">
    <a class="home" href="#/"><${Mark} /> Amends</a>
    <button class="menu quiet" aria-expanded=${isOpen} aria-controls="pages" onClick=${() => setOpen(!isOpen)}>Menu</button>
    <nav id="pages" class=${isOpen ? "open" : ""} aria-label="Pages">
      ${pages.map(([path, name]) => html`${RULES_BEFORE.includes(path) && html`<hr class="rule" />`}
        <a href=${`#/${path}`} aria-current=${path === place.page ? "page" : undefined}>${name}</a>`)}
      <hr class="rule" /><a href="docs" target="_blank" rel="noopener">API <span aria-hidden="true">↗</span></a>
    </nav>
    <div class="who"><span class="name">${me.name}</span>
      ${!me.is_open && html`<button class="quiet" onClick=${onLeave}>Log out</button>`}
      <button class="quiet icon" onClick=${switchTheme} aria-label=${scheme} title=${scheme}>${isDark ? "☀" : "☾"}</button></div>
  </header>`;
}

function Console({ me, onLeave }) {
  const place = useHere();
  const main = useRef(null);
  const definitions = useFetched(() => get("definitions"), [], { counts: () => false, everyMs: 60000 });
  const hasShop = isShopServed(definitions.value || []);
  const [, title, Page] = PAGES.find(([path]) => path === place.page) || ["", "Not found", Missing];
  const Shown = place.page === "sagas" && place.id ? SagaPage : Page;
  useEffect(() => {
    document.title = `${place.id || title} · Amends`;
    main.current.scrollTo(0, 0);
  }, [place.page, place.id, title]);
  const skip = (event) => { event.preventDefault(); main.current.focus(); };
  return html`<div class="console">
    <a class="skip" href="#main" onClick=${skip}>To the page</a>
    <${Side} place=${place} me=${me} hasShop=${hasShop} onLeave=${onLeave} />
    <div class="top" role="region" aria-label="Owed"><${OwedBar} />
      ${me.is_open && html`<span class="open-note" title="Any program of this machine may do everything, without a key.">no keys<span class="wide">: open to this machine</span></span>`}</div>
    <main id="main" tabindex="-1" ref=${main}><div class="page"><${Shown} key=${place.page + place.id} place=${place} can=${(scope) => me.scopes.includes(scope)} me=${me} /></div></main>
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
  if (!me) return html`<main class="log-in"><p class="hint">…</p></main>`;
  if (!me.name) return html`<${LogIn} onDone=${setMe} />`;
  return html`<${Console} me=${me} onLeave=${() => logOut().then(look, look)} />`;
}

if (localStorage.getItem("theme")) document.documentElement.dataset.theme = localStorage.getItem("theme");
render(html`<${App} />`, document.getElementById("app"));
