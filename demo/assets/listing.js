// The batch's table on the Detect tab: click, sort, keep one's place. Runs as gr.HTML's js_on_load
// with `element` and `trigger`. The table is drawn anew at each answer; what is chosen here stays.
const { read, remember } = window.dom;
const rows = () => [...element.querySelectorAll("tr[data-index]")];
const block = element.closest("#listing") ?? element;
let order = null;
let scrolled = [0, 0];
let focused = null;
let current = null;

element.addEventListener("click", (event) => {
  const sort = event.target.closest("[data-sort]");
  if (sort) return chooseSort(Number(sort.dataset.sort));
  if (event.target.closest("[data-listing-form]")) return chooseForm();
  const row = event.target.closest("tr[data-index]");
  if (!row) return;
  // Marked at once: the server's answer comes later, and the next key must count from here.
  rows().forEach((other) => other.removeAttribute("aria-current"));
  row.setAttribute("aria-current", "true");
  trigger("select", { index: Number(row.dataset.index) });
});
element.addEventListener("keydown", (event) => {
  const row = event.target.closest("tr[data-index]");
  if (!row || event.target !== row || (event.key !== "Enter" && event.key !== " ")) return;
  event.preventDefault();
  row.click();
});

// Sorting lives in the browser and survives the table being drawn anew during a run.
function chooseSort(column) {
  order = order?.column === column
    ? (order.down ? { column, down: false } : null)
    : { column, down: true };
  applySort();
}
function applySort() {
  const table = element.querySelector("table");
  if (!table) return;
  const key = order ?? { column: 0, down: false };
  const value = (row) => {
    const cell = row.cells[Math.min(key.column, row.cells.length - 1)];
    const number = Number(cell.dataset.v);
    return Number.isNaN(number) ? cell.dataset.v ?? "" : number;
  };
  const before = [...table.tBodies[0].rows];
  const sorted = [...before].sort((a, b) => {
    const [x, y] = [value(a), value(b)];
    const by = typeof x === "number" && typeof y === "number"
      ? x - y : String(x).localeCompare(String(y), undefined, { numeric: true });
    return (key.down ? -by : by) || a.dataset.index - b.dataset.index;
  });
  if (sorted.some((row, i) => row !== before[i])) table.tBodies[0].append(...sorted);
  element.querySelectorAll("th[aria-sort]").forEach((head) => {
    const column = Number(head.querySelector("[data-sort]").dataset.sort);
    const state = order?.column !== column ? "none" : order.down ? "descending" : "ascending";
    if (head.getAttribute("aria-sort") !== state) head.setAttribute("aria-sort", state);
  });
}

// Beside the picture as a strip, or below everything as a table with all its columns.
function chooseForm() {
  remember("adaclip-listing", block.classList.toggle("whole") ? "whole" : "");
  showForm();
}
function showForm() {
  const whole = block.classList.contains("whole");
  const button = element.querySelector("[data-listing-form]");
  if (button && button.getAttribute("aria-pressed") !== String(whole)) {
    button.setAttribute("aria-pressed", String(whole));
  }
}
block.classList.toggle("whole", read("adaclip-listing") === "whole");

// Where it was scrolled to and what had the focus stay.
element.addEventListener("scroll", (event) => {
  if (event.target.classList?.contains("listing-scroll")) {
    scrolled = [event.target.scrollLeft, event.target.scrollTop];
  }
}, true);
element.addEventListener("focusin", (event) => {
  focused = event.target.closest("tr[data-index]")?.dataset.index ?? null;
});
document.addEventListener("focusin", (event) => {
  if (!element.contains(event.target)) focused = null;
});
function settle() {
  applySort();
  showForm();
  const scroller = element.querySelector(".listing-scroll");
  if (!scroller || scroller.dataset.settled) return;
  scroller.dataset.settled = "yes";
  scroller.scrollTo(...scrolled);
  const row = scroller.querySelector("tr[aria-current]");
  if (row && row.dataset.index !== current) {
    current = row.dataset.index;
    bringIntoView(scroller, row);
  }
  if (focused !== null && document.activeElement === document.body) {
    scroller.querySelector(`tr[data-index="${focused}"]`)?.focus({ preventScroll: true });
  }
}
// Scrolls the list alone, never the page.
function bringIntoView(scroller, row) {
  const [list, box] = [scroller.getBoundingClientRect(), row.getBoundingClientRect()];
  const head = scroller.querySelector("thead")?.offsetHeight ?? 0;
  if (box.top - head < list.top) scroller.scrollTop -= list.top - box.top + head;
  else if (box.bottom > list.bottom) scroller.scrollTop += box.bottom - list.bottom;
  if (box.width > list.width) return;
  if (box.left < list.left) scroller.scrollLeft -= list.left - box.left;
  else if (box.right > list.right) scroller.scrollLeft += box.right - list.right;
}
// At once, before it is painted: a table in the wrong order is never seen.
new MutationObserver(settle).observe(element, { childList: true, subtree: true });
settle();
