// Refuses a file that is too large before it is sent. Without JavaScript, the server refuses it once it has arrived.
(() => {
  for (const input of document.querySelectorAll("input[data-max-bytes]")) {
    const id = `${input.id}-error`;
    const hint = document.getElementById(`${input.id}-hint`)?.id ?? "";
    const isTooLarge = () => [...input.files].some(({ size }) => size > Number(input.dataset.maxBytes));

    // Shows an error beside the field, as the server does, in place of an earlier one.
    const show = (text) => {
      document.getElementById(id)?.remove();
      input.classList.toggle("is-invalid", Boolean(text));
      input.setAttribute("aria-invalid", Boolean(text));
      input.setAttribute("aria-describedby", text ? `${hint} ${id}`.trim() : hint);
      if (!text) return;
      const error = document.createElement("div");
      Object.assign(error, { id, className: "invalid-feedback", textContent: text });
      error.setAttribute("role", "alert");
      input.after(error);
    };

    input.addEventListener("change", () => show(isTooLarge() ? input.dataset.tooLarge : ""));
    input.form.addEventListener("submit", (event) => {
      if (!isTooLarge()) return;
      event.preventDefault();
      input.focus();
    });
  }
})();
