// Presses the button of a page that said "in a moment" when that is over. Without this, people press it themselves.
(() => {
  // A button that stays in its line has no room for such words: it goes to the page that has them.
  document.addEventListener("htmx:beforeSwap", (event) => {
    const { requestConfig: { elt }, xhr } = event.detail;
    if (![429, 503].includes(xhr.status) || !elt.matches("form[method=post]")) return;
    event.detail.isError = false;
    HTMLFormElement.prototype.submit.call(elt);
  });

  const form = document.querySelector("form[data-retry-after]");
  // Who comes back to an old page does not want today what was wanted then.
  if (!form || performance.getEntriesByType?.("navigation")[0]?.type === "back_forward") return;
  const wait = Number(form.dataset.retryAfter) * 1000 * (1 + Math.random()); // so that a crowd does not come back at once
  const timer = setTimeout(() => form.requestSubmit(), wait);
  form.addEventListener("submit", () => clearTimeout(timer));
  addEventListener("pagehide", () => clearTimeout(timer));
  form.querySelector("[hidden]:not(input)").hidden = false;
})();
