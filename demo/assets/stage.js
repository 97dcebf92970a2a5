// The stage of the Detect tab: names for its pictures, the comparison by keyboard, and answers that
// come too late. Runs as the gr.HTML's js_on_load that says which batch is shown.
const { observe } = window.dom;
const $ = (selector) => document.querySelector(selector);

// Every answer says which batch it is about. Of two answers under way the older may come last:
// the page then shows pictures that have been replaced, and asks for what is there now.
let newest = 0;
watch("value", () => {
  const batch = Number(element.querySelector("[data-batch]")?.dataset.batch ?? 0);
  if (batch < newest) trigger("refresh");
  newest = Math.max(newest, batch);
});

// Gradio draws the pictures without words: they are named by file, view and verdict.
function name() {
  const images = document.querySelectorAll("#viewer img");
  if (!images.length) return;
  const file = $("#position .name")?.textContent ?? "The picture";
  const verdict = $("#verdict .verdict > .chip")?.textContent.trim() ?? "";
  const view = $("#view input:checked")?.closest("label")?.textContent.trim() ?? "Result";
  const texts = [`${file}: ${verdict}`, `${view} of ${file}: ${verdict}`];
  if ($("#viewer.plain")) texts[1] = texts[0];
  texts.forEach((text, i) => {
    if (images[i] && images[i].alt !== text) images[i].alt = text;
  });
}

function nameButtons() {
  for (const [id, words] of [["previous", "Previous picture"], ["next", "Next picture"]]) {
    const button = $(`#${id}`);
    if (button && !button.ariaLabel) button.ariaLabel = words;
  }
}

// The handle between original and result takes the focus and the arrow keys.
function handle() {
  const grip = $("#viewer [data-testid=slider]");
  if (!grip) return;
  if (!grip.hasAttribute("role") || grip.getAttribute("role") === "none") {
    grip.setAttribute("role", "slider");
    grip.setAttribute("aria-label", "Compare original and result");
    grip.setAttribute("aria-valuemin", "0");
    grip.setAttribute("aria-valuemax", "100");
    grip.addEventListener("keydown", move);
  }
  const tab = $("#viewer.plain") ? "-1" : "0";
  if (grip.getAttribute("tabindex") !== tab) grip.setAttribute("tabindex", tab);
  const { left, width } = pictured(grip);
  const now = String(Math.round(100 * Math.min(1, Math.max(0, (at(grip) - left) / (width || 1)))));
  if (grip.getAttribute("aria-valuenow") !== now) grip.setAttribute("aria-valuenow", now);
}
const at = (grip) => grip.getBoundingClientRect().left + grip.offsetWidth / 2;
// Where the picture is within its frame, which is wider or taller.
function pictured(grip) {
  const frame = grip.parentElement.getBoundingClientRect();
  const image = $("#viewer img");
  const ratio = (image?.naturalWidth || 1) / (image?.naturalHeight || 1);
  const width = Math.min(frame.width, frame.height * ratio);
  return { left: frame.left + (frame.width - width) / 2, width };
}
function move(event) {
  const grip = event.currentTarget;
  const { left, width } = pictured(grip);
  const step = width * (event.shiftKey ? 0.2 : 0.04);
  const ends = { Home: left, End: left + width };
  const to = { ArrowLeft: at(grip) - step, ArrowRight: at(grip) + step, ...ends }[event.key];
  if (to === undefined) return;
  event.preventDefault();
  event.stopPropagation();
  // Gradio's handle knows the mouse alone.
  const clientX = Math.min(left + width, Math.max(left, to));
  const clientY = grip.getBoundingClientRect().top + 1;
  const place = { clientX, clientY, bubbles: true, view: window };
  grip.dispatchEvent(new MouseEvent("mousedown", place));
  document.dispatchEvent(new MouseEvent("mouseup", place));
  setTimeout(handle, 50);
}

// The details under the verdict stay open when the next verdict comes.
let open = false;
function unfold() {
  const details = $("#verdict details");
  if (open && details && !details.open) details.open = true;
}

const stage = $("#stage");
if (stage) {
  observe(stage, () => { name(); nameButtons(); handle(); unfold(); });
  // What a person chose counts: the next answer folds them without having been asked to.
  stage.addEventListener("click", (event) => {
    const summary = event.target.closest("#verdict summary");
    if (summary) open = !summary.parentElement.open;
  }, true);
  stage.addEventListener("toggle", unfold, true);
}
