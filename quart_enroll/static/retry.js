// Retries a change that the server was too busy for. Without JavaScript, people press the button themselves.
(() => {
  const form = document.querySelector("form[data-retry-after]");
  // Someone who goes back to an old page doesn't want to repeat the change.
  if (!form || performance.getEntriesByType?.("navigation")[0]?.type === "back_forward") return;
  const wait = Number(form.dataset.retryAfter) * 1000 * (1 + Math.random()); // so that a crowd doesn't retry all at once
  const timer = setTimeout(() => form.requestSubmit(), wait);
  form.addEventListener("submit", () => clearTimeout(timer));
  addEventListener("pagehide", () => clearTimeout(timer));
  form.querySelector("[hidden]:not(input)").hidden = false;
})();
