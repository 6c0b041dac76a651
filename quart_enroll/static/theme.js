// Applies the visitor's choice of light, dark or automatic colors, and remembers it in this browser only.
(() => {
  const KEY = "quart-enroll-theme";
  const system = matchMedia("(prefers-color-scheme: dark)");
  let choice = remembered();

  function remembered() {
    try {
      return localStorage.getItem(KEY) ?? "auto";
    } catch {
      return "auto"; // the browser may block storage; the choice then lasts for one page
    }
  }

  function remember() {
    try {
      localStorage.setItem(KEY, choice);
    } catch {}
  }

  function show() {
    const dark = choice === "dark" || (choice !== "light" && system.matches);
    document.documentElement.dataset.bsTheme = dark ? "dark" : "light";
    for (const button of document.querySelectorAll("[data-choice]")) {
      button.setAttribute("aria-pressed", String(button.dataset.choice === choice));
    }
  }

  function offer() {
    const group = document.getElementById("theme");
    group?.removeAttribute("hidden");
    group?.addEventListener("click", ({ target }) => {
      if (!target.dataset.choice) return;
      choice = target.dataset.choice;
      remember();
      show();
    });
    show();
  }

  show();
  system.addEventListener("change", show);
  document.addEventListener("DOMContentLoaded", offer);
})();
