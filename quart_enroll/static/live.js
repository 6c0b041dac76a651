// Ignores updates that the page already shows: every stream begins with the current state, and redrawing a hundred
// unchanged rows would keep a phone busy for a second.
document.addEventListener("htmx:sseBeforeMessage", (event) => {
  if (event.target.innerHTML.trim() === event.detail.data.trim()) event.preventDefault();
});

// Returns what the page says about its user: who it is, and the fingerprint of the user's registrations on the page.
function user() {
  return document.getElementById("act")?.dataset ?? {};
}

// Tells the server for whom the page was rendered, so that another user's request reloads the whole page.
document.addEventListener("htmx:configRequest", ({ detail }) => {
  const { reader } = user();
  if (reader) detail.headers["X-Reader"] = reader;
});

// Tells htmx how to update the row of a section. All rows work alike, so the page does not repeat this in each of them.
// Open seats are replaced. The whole row is reloaded when it needs another button, or shows an outdated time or room, and
// by its own buttons that stay in place.
(() => {
  function setAll(element, attributes) {
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  }

  function prepare(row) {
    const seats = row.querySelector(".seats");
    const turn = row.querySelector("[sse-swap]") ? "gone" : seats.matches(".full") ? "open" : "full";
    setAll(row, {
      "hx-get": row.parentElement.dataset.rows ?? row.closest("article").querySelector("a").getAttribute("href"),
      "hx-select": `#${row.id}`,
      "hx-select-oob": "#messages:innerHTML",
      "hx-swap": "outerHTML",
      "hx-trigger": `sse:${row.id}-${turn}, moved`,
    });
    setAll(seats, { "sse-swap": row.id, "hx-swap": "innerHTML" });
    for (const button of row.querySelectorAll("button[formaction]")) {
      const { toggles } = button.dataset;
      // The focus stays on the same button, and never moves to one that does something else.
      button.id = `${row.id}-${toggles ?? new URL(button.formAction).pathname}`;
      if (toggles) setAll(button, { "hx-post": button.getAttribute("formaction"), "hx-target": "closest .section" });
    }
  }

  function prepareAll(part) {
    for (const row of part.parentElement.querySelectorAll(".section[id]:not([hx-get])")) prepare(row);
  }

  // Keeps the focus, and the visitor's selections if the options still exist, when a part of the page is reloaded.
  const kept = new WeakMap(); // the selections and the focused element's id, by response
  document.addEventListener("htmx:beforeSwap", ({ detail: { target, xhr } }) => {
    const selects = [...target.querySelectorAll("select[id]")];
    const focused = target.contains(document.activeElement) ? document.activeElement.id : "";
    kept.set(xhr, { chosen: selects.map(({ id, value }) => [id, value]), focused });
  });
  document.addEventListener("htmx:afterSwap", ({ detail, target }) => {
    prepareAll(target);
    const { chosen, focused } = kept.get(detail.xhr) ?? { chosen: [] };
    for (const [id, value] of chosen) {
      const select = document.getElementById(id);
      if (select?.querySelector(`option[value="${CSS.escape(value)}"]`)) select.value = value;
    }
    if (focused && document.activeElement === document.body) document.getElementById(focused)?.focus({ preventScroll: true });
  });
  prepareAll(document.body); // before htmx looks at the page
})();

// Over HTTP/1.1, a browser opens at most six connections to a site, and each stream occupies one. A hidden page closes its
// streams. When it becomes visible again, it reopens them, and they begin with the current state.
(() => {
  const CLOSE_DELAY_MS = 10_000; // so that a quick look at another tab doesn't interrupt the streams
  const open = htmx.createEventSource;
  const streams = new Set();
  let timer;

  // Reloads a row that shows an outdated time, room or instructor.
  function refetchMoved({ data }) {
    const [mark, facts] = data.split(" ");
    const row = document.getElementById(mark);
    if (row?.dataset.facts && row.dataset.facts !== facts) htmx.trigger(row, "moved");
  }

  // Implements the part of EventSource that htmx uses, and can be paused.
  class Stream {
    constructor(url) {
      this.url = url;
      this.listeners = [];
      streams.add(this);
      this.resume();
    }

    resume() {
      if (this.source || document.hidden) return;
      const { mine } = user();
      const source = (this.source = open(mine ? `${this.url}&mine=${mine}` : this.url));
      for (const listener of this.listeners) source.addEventListener(...listener);
      source.addEventListener("facts", refetchMoved);
      source.onopen = (event) => this.onopen(event);
      source.onerror = (event) => {
        if (source.readyState === EventSource.CLOSED) streams.delete(this); // htmx creates another one
        this.onerror(event);
      };
    }

    pause() {
      this.source?.close();
      this.source = null;
    }

    close() {
      streams.delete(this);
      this.pause();
    }

    get readyState() {
      return this.source?.readyState;
    }

    addEventListener(...listener) {
      this.listeners.push(listener);
      this.source?.addEventListener(...listener);
    }

    removeEventListener(...listener) {
      this.listeners = this.listeners.filter((known) => known[0] !== listener[0] || known[1] !== listener[1]);
      this.source?.removeEventListener(...listener);
    }
  }

  function pauseAll() {
    for (const stream of streams) stream.pause();
  }

  function followVisibility() {
    clearTimeout(timer);
    if (document.hidden) timer = setTimeout(pauseAll, CLOSE_DELAY_MS);
    else for (const stream of streams) stream.resume();
  }

  htmx.createEventSource = (url) => new Stream(url);
  document.addEventListener("visibilitychange", followVisibility);
  addEventListener("pagehide", pauseAll); // the browser may keep the page in its back/forward cache
  addEventListener("pageshow", followVisibility);
})();
