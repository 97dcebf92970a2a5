// The Results page in the browser: what a number, a bar or a name opens stands beside it. Runs once
// as gr.HTML's js_on_load of the table, with `element` and `server`.
const panel = () => element.querySelector("#bench-panel");

function place(box, anchor) {
  const gap = 8, room = document.documentElement.clientWidth;
  const { left, right, top, bottom } = anchor;
  const wide = box.offsetWidth, high = box.offsetHeight;
  const beside = right + gap + wide <= room ? right + gap : left - gap - wide;
  const fits = beside >= gap;
  const x = fits ? beside : Math.max(gap, Math.min(left, room - wide - gap));
  let y = fits ? top - 12 : bottom + gap;
  if (y + high > innerHeight - gap) y = fits ? innerHeight - gap - high : top - gap - high;
  box.style.left = `${x + scrollX}px`;
  box.style.top = `${Math.max(gap, y) + scrollY}px`;
}
function show(anchor, ...content) {
  const box = panel();
  if (!box) return;
  if (box.matches(":popover-open")) box.hidePopover();
  box.replaceChildren(...content);
  box.showPopover();
  place(box, anchor);
  box.focus({ preventScroll: true });
}
function made(name, text, data = {}) {
  const node = Object.assign(document.createElement(name), { textContent: text });
  Object.assign(node.dataset, data);
  return node;
}
function action(text, data) {
  const button = made("button", text, { act: "bench", ...data });
  Object.assign(button, { type: "button", className: "quiet" });
  return button;
}
// Where a number comes from, and what can be done about it.
function told(cell) {
  const { source, run, measure } = cell.dataset;
  const [first, ...rest] = source.split("\n");
  const acts = made("p", "");
  acts.className = "panel-acts";
  if (run) acts.append(action("Open the run", { patch: JSON.stringify({ run }) }));
  if (measure) acts.append(action("Measure a checkpoint on it", { measure }));
  return [made("h4", first), ...rest.map((line) => made("p", line)), ...(acts.children.length ? [acts] : [])];
}
async function card(button) {
  const anchor = button.getBoundingClientRect();
  show(anchor, made("p", "…"));
  const answer = await server.card({ dataset: button.dataset.card }).catch(() => ({}));
  const box = panel();
  if (!box?.matches(":popover-open")) return;
  if (answer.html) box.innerHTML = answer.html;
  else box.replaceChildren(made("p", answer.error ?? "There is no card."));
  place(box, anchor);
}
element.addEventListener("click", (event) => {
  const cell = event.target.closest?.(".cell");
  if (cell) return show(cell.getBoundingClientRect(), ...told(cell));
  const name = event.target.closest?.("[data-card]");
  if (name) return card(name);
  if (event.target.closest?.("#bench-panel [data-act]")) panel().hidePopover();
});
element.addEventListener("toggle", (event) => {
  const details = event.target;
  if (details.tagName === "DETAILS" && details.open) details.scrollIntoView({ block: "nearest" });
}, true);
// A bar stands for a cell of the table.
window.addEventListener("bench-bar", ({ detail: { cell: [dataset, column], x, y } }) => {
  const row = element.querySelector(`[data-card="${CSS.escape(dataset)}"]`)?.closest("tr");
  const cell = row?.querySelector(`.cell[data-column="${CSS.escape(column)}"]`);
  if (cell) show({ left: x, right: x, top: y, bottom: y }, ...told(cell));
});
