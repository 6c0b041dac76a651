// Prints the page; the style sheet leaves only what belongs on paper.
document.addEventListener("click", ({ target }) => {
  if (target.closest("[data-print]")) print();
});
