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
// Open seats are replaced. The whole row is reloaded when it needs another button, or shows an outdated time or room.
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
      "hx-select-oob": "#messages:beforeend,#side-week",
      "hx-swap": "outerHTML",
      "hx-trigger": `sse:${row.id}-${turn}, moved`,
    });
    setAll(seats, { "sse-swap": row.id, "hx-swap": "innerHTML" });
    // The focus stays on the same button, and never moves to one that does something else.
    for (const button of row.querySelectorAll("button[formaction]")) {
      button.id = `${row.id}-${button.dataset.toggles ?? button.getAttribute("formaction")}`;
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
      const isReserved = meters.some((one) => "reserved" in one.dataset);
      seats.replaceChildren(total, ` ${seatsText(total.max - total.value, total.max, isReserved)}`);
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

  function seatsText(open, number, isReserved) {
    const texts = document.getElementById("results").dataset;
    const [shownOpen, shownNumber] = [open, number].map((one) => one.toLocaleString(document.documentElement.lang));
    if (open < 2) return open ? texts.last : isReserved ? texts.reserved : texts.full;
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

  // Returns a function that restores the focus, opened details, the scroll position, and the visitor's selections if the
  // options still exist, after the target has been replaced.
  function remember(target) {
    const chosen = [...target.querySelectorAll("select[id]")].map(({ id, value }) => [id, value]);
    const opened = [...target.querySelectorAll("details[open][id]")].map(({ id }) => id);
    const active = target.contains(document.activeElement) ? document.activeElement : null;
    const places = [active?.id, active?.closest(".section")?.id, target.id]; // where the focus goes, best first
    const anchor = active?.closest(".section") ?? target;
    const top = anchor.getBoundingClientRect().top;
    return () => {
      for (const id of opened) document.getElementById(id)?.setAttribute("open", "");
      for (const [id, value] of chosen) {
        const select = document.getElementById(id);
        if (select?.querySelector(`option[value="${CSS.escape(value)}"]`)) select.value = value;
      }
      if (active && document.activeElement === document.body) focus(places);
      const now = document.getElementById(anchor.id);
      if (active && now) scrollBy({ top: now.getBoundingClientRect().top - top, behavior: "instant" });
    };
  }

  function focus(places) {
    const place = document.getElementById(places.find((id) => id && document.getElementById(id)));
    if (!place) return;
    place.closest("details:not([open])")?.setAttribute("open", "");
    if (!place.matches("a, button, input, select, summary")) place.tabIndex = -1;
    place.focus({ preventScroll: true });
  }

  const restores = new WeakMap(); // the function that restores the replaced part, by response
  document.addEventListener("htmx:beforeSwap", ({ detail: { target, xhr } }) => restores.set(xhr, remember(target)));
  document.addEventListener("htmx:afterSwap", ({ detail, target }) => {
    prepareAll(target);
    restores.get(detail.xhr)?.();
    summarizeAround(target);
  });

  // Buttons act in place: their row, or the part of the page around it, is replaced by that of the page to which they lead.
  const PARTS = "#results, #offered, #schedule, #plan";
  let last = Promise.resolve(); // one request after another, because each replaces the part

  document.addEventListener("submit", (event) => {
    const { target: form, submitter: button } = event;
    if (event.defaultPrevented || form.method !== "post" || !button?.closest(PARTS) || button.matches(".failed")) return;
    event.preventDefault();
    if (button.ariaBusy === "true") return;
    button.ariaBusy = "true";
    const url = button.getAttribute("formaction") ?? form.getAttribute("action");
    const body = new URLSearchParams(new FormData(form));
    last = last.then(() => act(button, url, body)).catch(() => submitPlainly(url, body));
  });

  // The second click of a double click does nothing: the button may be another one by then.
  document.addEventListener("click", (event) => {
    if (event.detail > 1 && event.target.closest("button")?.closest(PARTS)) event.preventDefault();
  });

  async function act(button, url, body) {
    const row = button.closest(".section")?.id;
    const onlyRow = "toggles" in button.dataset; // plans and alerts change nothing else
    const id = onlyRow ? row : button.closest(PARTS).id;
    const headers = onlyRow ? { "HX-Request": "true" } : {};
    const part = () => document.getElementById(id);
    let response, page;
    part()?.setAttribute("aria-busy", "true");
    try {
      response = await fetch(url, { method: "POST", body, headers });
      page = await response.text();
    } catch {
      return fail(button);
    } finally {
      part()?.removeAttribute("aria-busy");
    }
    // A question or an error needs the whole page. Every button is safe to repeat.
    if (!response.ok || !part()) return submitPlainly(url, body);
    if (!page.includes(`id="${id}"`)) return response.redirected ? show(page, response.url) : submitPlainly(url, body);
    restores.set(response, remember(part()));
    const others = `,#act${document.getElementById("found") ? ",#found:innerHTML" : ""}`;
    const parts = { select: `#${id}`, selectOOB: `#messages:innerHTML,#side-week${onlyRow ? "" : others}` };
    htmx.swap(part(), page, { swapStyle: "outerHTML", settleDelay: 0 }, { ...parts, eventInfo: { xhr: response } });
    showOutcome(row);
  }

  // Shows the page to which a button has led, because no other response has its messages.
  function show(page, url) {
    history.pushState(null, "", url);
    dispatchEvent(new Event("pagehide")); // ends the streams
    document.open();
    document.write(page);
    document.close();
    addEventListener("popstate", () => location.reload());
  }

  // What is about to be replaced needs no update of its own.
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (event.target.closest("[aria-busy]")) event.preventDefault();
  });

  // Says that there is no connection. Pressed again, the button is submitted as if there were no scripts.
  function fail(button) {
    button.ariaBusy = null;
    button.classList.add("failed");
    const message = document.createElement("div");
    setAll(message, { class: "alert alert-danger", role: "alert" });
    message.textContent = document.getElementById("act").dataset.offline;
    document.getElementById("messages").replaceChildren(message);
    showOutcome(button.closest(".section")?.id);
  }

  let outcome = []; // its messages, until a click or Escape

  // Shows the outcome in sight, and a refusal beside its button too.
  function showOutcome(row) {
    const messages = document.getElementById("messages");
    messages.classList.add("in-place");
    outcome = [...messages.children];
    const refusals = [...messages.querySelectorAll(".alert-warning, .alert-danger")];
    document.getElementById(row)?.append(...refusals.map(({ textContent }) => span("outcome", textContent)));
  }

  // A click or Escape takes the outcome away from what it covers. Messages that live updates have added since then stay.
  for (const type of ["click", "keydown"]) {
    document.addEventListener(type, ({ key = "Escape" }) => {
      if (key !== "Escape") return;
      for (const message of outcome.splice(0)) message.remove();
      document.querySelector("#messages.in-place")?.classList.remove("in-place");
    });
  }

  function submitPlainly(url, body) {
    const form = document.createElement("form");
    Object.assign(form, { method: "post", action: url, hidden: true });
    for (const [name, value] of body) {
      const input = document.createElement("input");
      Object.assign(input, { type: "hidden", name, value });
      form.append(input);
    }
    document.body.append(form);
    form.submit();
  }

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
