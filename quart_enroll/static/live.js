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
    const course = row.closest(".course-row");
    const seats = row.querySelector(".seats") ?? course.querySelector(".row-seats"); // of an only section
    const turn = row.querySelector("[sse-swap]") ? "gone" : seats.matches(".full") ? "open" : "full";
    if (course) course.id ||= `${row.id}-course`;
    for (const [number, one] of row.querySelectorAll("details").entries()) one.id = `${row.id}-more-${number}`;
    setAll(row, {
      "hx-get": row.parentElement.dataset.rows ?? course.querySelector("a").getAttribute("href"),
      "hx-select": `#${row.id}`,
      "hx-select-oob": "#messages:innerHTML",
      "hx-swap": "outerHTML",
      "hx-trigger": `sse:${row.id}-${turn}, moved`,
    });
    setAll(seats, { "sse-swap": row.id, "hx-swap": "innerHTML" });
    for (const button of row.querySelectorAll("button[formaction]")) {
      const { toggles, moves } = button.dataset;
      // The focus stays on the same button, and never moves to one that does something else.
      button.id = `${row.id}-${toggles ?? button.getAttribute("formaction")}`;
      const post = { "hx-post": button.getAttribute("formaction") };
      if (toggles) setAll(button, { ...post, "hx-target": "closest .section" });
      const list = { "hx-target": "#planned", "hx-select": "#planned > li", "hx-swap": "innerHTML" };
      if (moves !== undefined) setAll(button, { ...post, ...list }); // all rows, because several change their places
    }
  }

  function prepareAll(part) {
    for (const row of part.parentElement.querySelectorAll(".section[id]:not([hx-get])")) prepare(row);
  }

  // Lets a closed row say what its sections say now: the times and seats of an only one, or the seats of all; and what the
  // student has.
  function summarize(course) {
    const sections = [...course.querySelectorAll(".section")];
    const [times, seats] = ["times", "seats"].map((name) => course.querySelector(`.row-${name}`));
    const shown = course.querySelector(".section .seats"); // an only section has none until it is reloaded
    const meters = [...course.querySelectorAll(".section meter")];
    if (shown) seats.classList.toggle("full", !course.querySelector(".section .seats:not(.full)"));
    if (sections.length > 1 && meters.length) {
      const total = meters[0].cloneNode();
      setAll(total, { max: sum(meters, "max"), value: sum(meters, "value") });
      seats.replaceChildren(total, ` ${seatsText(total.max - total.value, total.max)}`);
    } else if (shown) {
      seats.innerHTML = shown.innerHTML;
    }
    if (shown && sections.length === 1) times.textContent = course.querySelector(".section .times").textContent;
    const all = [...course.querySelectorAll(".section .badge-state")];
    const own = all.filter((one) => !one.matches(".conflict"));
    const badgesToShow = own.length || all.length < sections.length ? own : all.slice(0, 1);
    const byText = new Map(badgesToShow.map(({ className, textContent }) => [textContent, className]));
    const badges = course.querySelector(".row-badges") ?? span("row-badges");
    badges.replaceChildren(...[...byText].map(([text, className]) => span(className, text)), ...badges.querySelectorAll(".taken"));
    if (badges.hasChildNodes()) seats.after(badges);
    else badges.remove();
  }

  function sum(meters, name) {
    return meters.reduce((total, meter) => total + meter[name], 0);
  }

  function seatsText(open, number) {
    const texts = document.getElementById("results").dataset;
    const [shownOpen, shownNumber] = [open, number].map((one) => one.toLocaleString(document.documentElement.lang));
    if (open < 2) return open ? texts.last : texts.full;
    return texts.open.replace("{open}", shownOpen).replace("{number}", shownNumber);
  }

  function span(className, text = "") {
    const made = document.createElement("span");
    made.className = className;
    made.textContent = text;
    return made;
  }

  function summarizeAround(element) {
    const course = element.closest?.(".course-row");
    if (course?.isConnected) summarize(course);
  }

  document.addEventListener("htmx:sseMessage", ({ target }) => summarizeAround(target));

  // Keeps the focus, opened details, and the visitor's selections if the options still exist, when a part of the page is
  // reloaded.
  const kept = new WeakMap(); // the selections, and the ids of opened details and of the focused element, by response
  document.addEventListener("htmx:beforeSwap", ({ detail: { target, xhr } }) => {
    const selects = [...target.querySelectorAll("select[id]")];
    const focused = target.contains(document.activeElement) ? document.activeElement.id : "";
    const opened = [...target.querySelectorAll("details[open][id]")].map(({ id }) => id);
    kept.set(xhr, { chosen: selects.map(({ id, value }) => [id, value]), opened, focused });
  });
  document.addEventListener("htmx:afterSwap", ({ detail, target }) => {
    prepareAll(target);
    const { chosen, opened, focused } = kept.get(detail.xhr) ?? { chosen: [], opened: [] };
    for (const id of opened) document.getElementById(id)?.setAttribute("open", "");
    summarizeAround(target);
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
