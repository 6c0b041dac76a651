// News that an open page shows already change nothing: a stream begins with how everything is, and to draw a hundred
// equal lines anew would keep a phone busy for a second.
document.addEventListener("htmx:sseBeforeMessage", (event) => {
  if (event.target.innerHTML.trim() === event.detail.data.trim()) event.preventDefault();
});

// A part that is fetched belongs to whom the page was made for; for somebody else the whole page is loaded anew.
document.addEventListener("htmx:configRequest", ({ detail }) => {
  const { reader } = document.body.dataset;
  if (reader) detail.headers["X-Reader"] = reader;
});

// What somebody has chosen in a part of the page stays chosen when that is fetched anew, as far as it still can be.
(() => {
  const chosen = new WeakMap(); // for each answer that is put in
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

// Over HTTP/1.1 a browser has six connections to a site, and a stream keeps one. A page that nobody sees lets its streams
// go; when it is seen again they begin anew, with how everything is.
(() => {
  const PATIENCE = 10_000; // milliseconds: who only looks at another page for a moment misses nothing
  const open = htmx.createEventSource;
  const streams = new Set();
  let timer;

  // A line that shows other times, another room or instructor than the section has now is fetched anew.
  function refetchMoved({ data }) {
    const [mark, facts] = data.split(" ");
    const line = document.getElementById(mark);
    if (line?.dataset.facts && line.dataset.facts !== facts) htmx.trigger(line, "moved");
  }

  // As much of an EventSource as htmx uses, that can rest.
  class Stream {
    constructor(address) {
      this.address = address;
      this.listeners = [];
      streams.add(this);
      this.wake();
    }

    wake() {
      if (this.source || document.hidden) return;
      const source = (this.source = open(this.address));
      for (const listener of this.listeners) source.addEventListener(...listener);
      source.addEventListener("facts", refetchMoved);
      source.onopen = (event) => this.onopen(event);
      source.onerror = (event) => {
        if (source.readyState === EventSource.CLOSED) streams.delete(this); // htmx will make another one
        this.onerror(event);
      };
    }

    rest() {
      this.source?.close();
      this.source = null;
    }

    close() {
      streams.delete(this);
      this.rest();
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

  function rest() {
    for (const stream of streams) stream.rest();
  }

  function look() {
    clearTimeout(timer);
    if (document.hidden) timer = setTimeout(rest, PATIENCE);
    else for (const stream of streams) stream.wake();
  }

  htmx.createEventSource = (address) => new Stream(address);
  document.addEventListener("visibilitychange", look);
  addEventListener("pagehide", rest); // a browser may keep the page, for who goes back to it
  addEventListener("pageshow", look);
})();
