// Counts down to the opening of enrollment by the server's clock. Without JavaScript, the sentence still gives the date.
(() => {
  const ANNOUNCED_SECONDS = [600, 60]; // seconds before the opening at which screen readers announce the remaining time
  const MAX_RELOAD_DELAY_MS = 2000; // open pages reload at random within this time, so that they don't all come at once
  const TICK_MS = 250;
  const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];

  const note = document.querySelector(".window[data-opens]");
  if (!note) return;
  const speaker = document.createElement("div");
  const ahead = lead();
  let before = 0; // the seconds at the last tick
  let opened = false;

  // Returns by how many milliseconds the server's clock is ahead of this one.
  function lead() {
    const page = performance.getEntriesByType?.("navigation")[0];
    if (page?.transferSize === 0) return 0; // cached: data-now is older than this page view
    const arrived = page?.responseStart ? performance.timeOrigin + page.responseStart : Date.now();
    return Number(note.dataset.now) - arrived;
  }

  function words(seconds) {
    const first = UNITS.findIndex(([, size]) => seconds >= size);
    const shown = seconds >= 600 && seconds < 3600 ? 1 : 2;
    const parts = [];
    for (const [unit, size] of UNITS.slice(first, first + shown)) {
      const number = Math.floor(seconds / size);
      seconds %= size;
      const format = new Intl.NumberFormat(document.documentElement.lang, { style: "unit", unit, unitDisplay: "long" });
      if (number) parts.push(format.format(number));
    }
    return note.dataset.left.replace("{}", parts.join(" "));
  }

  // Looks for the elements each time, because the part of the page with them may have been replaced.
  function show(text) {
    const left = document.querySelector(".left");
    if (left && left.textContent !== text) left.textContent = text;
    // The buttons must not look usable before the opening. The server checks the time as well.
    for (const button of document.querySelectorAll("[data-at-opening]")) {
      if (opened) button.removeAttribute("aria-disabled");
      else button.setAttribute("aria-disabled", "true");
    }
  }

  function tick() {
    if (opened) return show(note.dataset.open);
    const seconds = Math.ceil((Number(note.dataset.opens) - Date.now() - ahead) / 1000);
    if (seconds <= 0) return open();
    show(words(seconds));
    if (ANNOUNCED_SECONDS.some((step) => seconds <= step && step < before)) speaker.textContent = words(seconds);
    before = seconds;
  }

  function open() {
    opened = true;
    clearInterval(timer);
    show(note.dataset.open);
    speaker.textContent = note.dataset.open;
    setTimeout(() => document.body.dispatchEvent(new Event("opened")), Math.random() * MAX_RELOAD_DELAY_MS);
  }

  document.addEventListener("submit", (event) => {
    if (!opened && event.submitter?.matches("[data-at-opening]")) event.preventDefault();
  }, { capture: true });
  speaker.className = "visually-hidden";
  speaker.setAttribute("role", "status");
  document.getElementById("main").append(speaker);
  const timer = setInterval(tick, TICK_MS);
  document.addEventListener("visibilitychange", () => document.hidden || tick());
  document.addEventListener("htmx:afterSwap", tick);
  tick();
})();
