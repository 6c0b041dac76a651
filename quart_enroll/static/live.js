// Ignores updates that the page already shows: every stream begins with the current state, and redrawing a hundred
// unchanged rows would keep a phone busy for a second.
document.addEventListener("htmx:sseBeforeMessage", (event) => {
  if (event.target.innerHTML.trim() === event.detail.data.trim()) event.preventDefault();
});

// Tells the server for whom the page was rendered, so that another user's request reloads the whole page.
document.addEventListener("htmx:configRequest", ({ detail }) => {
  const { reader } = document.getElementById("act")?.dataset ?? {};
  if (reader) detail.headers["X-Reader"] = reader;
});

// Keeps the visitor's selections when a part of the page is reloaded, if the options still exist.
(() => {
  const chosen = new WeakMap(); // the selections by response
  document.addEventListener("htmx:beforeSwap", ({ detail }) => {
    const selects = [...detail.target.querySelectorAll("select[id]")];
    chosen.set(detail.xhr, selects.map(({ id, value }) => [id, value]));
  });
  document.addEventListener("htmx:afterSwap", ({ detail }) => {
    for (const [id, value] of chosen.get(detail.xhr) ?? []) {
      const select = document.getElementById(id);
      if (select?.querySelector(`option[value="${CSS.escape(value)}"]`)) select.value = value;
    }
  });
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
      const source = (this.source = open(this.url));
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
