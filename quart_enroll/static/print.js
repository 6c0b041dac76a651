// Prints the page; the style sheet leaves only the schedule on paper.
document.addEventListener("click", ({ target }) => {
  if (target.closest("[data-print]")) print();
});
