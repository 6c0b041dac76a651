// Draws the section under the pointer or the focus into the student's week beside the catalog.
(() => {
  let drawn = []; // the boxes of that section

  // Returns the section that the element belongs to: the only one of a closed course, too.
  function sectionOf(element) {
    const section = element?.closest?.(".section[data-meetings]");
    const all = element?.closest?.(".course-row")?.querySelectorAll(".section");
    return section ?? (all?.length === 1 && all[0].matches("[data-meetings]") ? all[0] : null);
  }

  function show({ target }) {
    const section = sectionOf(target) ?? sectionOf(document.activeElement);
    const picture = document.querySelector("#side-week .days");
    if (!picture) return;
    for (const box of drawn) box.remove();
    drawn = [];
    document.querySelector("#side-week .looked-at").textContent = section ? name(section) : "";
    if (section) draw(section, picture);
  }

  function name(section) {
    const course = section.closest(".course-row");
    const times = section.querySelector(".times") ?? course?.querySelector(".row-times");
    return [course?.querySelector("h2 b"), section.querySelector("strong"), times]
      .map((one) => one?.textContent.trim())
      .filter(Boolean)
      .join(" · ");
  }

  // A day or an hour that the week doesn't show is only in its name.
  function draw(section, picture) {
    const { days, begins, hourHeight } = picture.dataset;
    const width = 100 / days.length;
    const top = parseFloat(picture.querySelector(".line").getAttribute("y1"));
    const own = [...picture.querySelectorAll(".box")].filter((box) => !isOfSameCourse(box, section));
    for (const [on, start, end] of section.dataset.meetings.split(",").map((one) => one.split(" "))) {
      const [from, to] = [start, end].map((clock) => top + (hours(clock) - begins) * hourHeight);
      for (const day of on) {
        if (!days.includes(day) || from < top) continue;
        const x = days.indexOf(day) * width;
        const clashes = own.some((box) => overlaps(box, x, width, from, to));
        drawn.push(rectangle(x, width, from, to, clashes));
      }
    }
    picture.append(...drawn);
  }

  function isOfSameCourse(box, section) {
    return box.querySelector("a").getAttribute("href") === section.getAttribute("hx-get");
  }

  function hours(clock) {
    const [hour, minute] = clock.split(":").map(Number);
    return hour + minute / 60;
  }

  function overlaps(box, x, width, from, to) {
    const [left, y, height] = ["x", "y", "height"].map((attribute) => parseFloat(box.getAttribute(attribute)));
    const isSameDay = left > x - 0.1 && left < x + width - 0.1;
    return isSameDay && y < to - 0.01 && y + height > from + 0.01;
  }

  function rectangle(x, width, from, to, clashes) {
    const made = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    const attributes = { class: `candidate${clashes ? " clashes" : ""}`, rx: 4 };
    Object.assign(attributes, { x: `${x}%`, width: `${width}%`, y: `${from}em`, height: `${to - from}em` });
    for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value);
    return made;
  }

  document.addEventListener("mouseover", show);
  document.addEventListener("focusin", show);
})();
