// News that an open page shows already change nothing: a stream begins with how everything is, and to draw a hundred
// equal lines anew would keep a phone busy for a second.
document.addEventListener("htmx:sseBeforeMessage", (event) => {
  if (event.target.innerHTML.trim() === event.detail.data.trim()) event.preventDefault();
});
