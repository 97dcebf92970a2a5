// A flag bar: verdicts, reasons, name, keys, the region. Runs as gr.HTML's js_on_load with
// `element` and `trigger`. What the server said is in #flag-PLACE-said beside it; this reads it
// and never writes there, except for the time of day, which only the browser knows.
const { typing, plainKey, read, remember, observe } = window.dom;
const bar = element.querySelector(".flag");
const { place, stage } = bar.dataset;
const around = element.closest(".flag-box");
const $ = (selector) => bar.querySelector(selector);
const all = (selector) => [...bar.querySelectorAll(selector)];
const said = () => around.querySelector(".flag-said");
const remembered = { name: "adaclip-annotator", keep: "adaclip-keep-images" };
const page = (window.adaclipPage ??= Math.random().toString(36).slice(2, 12));
const [name, keep, comment, draw] = [$(".flag-name"), $(".flag-keep input"), $(".flag-comment"), $(".flag-draw")];
const editor = window.regionEditor($(".region-layer"), $(".region-panel"));
const tidy = (text) => text.normalize("NFC").replace(/\s+/g, " ").trim();

let heard = "";        // data-n of what was said last
let seen = "";         // the same, once the bar shows it for the name in the field
let subject = "";
let since = performance.now();
let waiting = 0;       // until when an answer is awaited: no second press meanwhile
let reason = "";
let judged = false;
let amended = false;   // a reason was given while its verdict was still on its way
let sent = "";         // the subject whose drawing is on its way to the server
let asked = "";        // the subject whose region was asked for
let started = "";      // data-n of the region that came last

const marksIn = (root) =>
  [...(root?.querySelectorAll("[data-by]") ?? [])].filter((m) => m.dataset.by === tidy(name.value));
const note = (which) => all("[data-note]").forEach((one) => { one.hidden = one.dataset.note !== which; });

function choose(code) {
  reason = code;
  all("[data-reason]").forEach((button) => {
    button.setAttribute("aria-checked", String(button.dataset.reason === code && code !== ""));
  });
}

// Bring the bar in line with what the server said.
function sync() {
  const now = said();
  if (!now) return;
  const { subject: shown = "", state } = now.dataset;
  if (now.dataset.n !== heard) {
    heard = now.dataset.n;
    waiting = 0;
    const stored = now.querySelector("[data-undo]");
    if (sent && stored) editor.forget(sent);  // it is on disk; what was refused stays open
    if (stored || now.querySelector(".problem")) sent = "";
  }
  if (now.dataset.n !== seen) {
    seen = now.dataset.n;
    now.querySelectorAll("time").forEach((time) => {
      const date = new Date(time.dateTime);
      if (!Number.isNaN(date.getTime())) time.textContent = date.toLocaleTimeString("en-GB");
    });
    if (shown !== subject) {
      subject = shown;
      judged = amended = false;
      since = performance.now();
      comment.value = asked = "";
      choose("");
      editor.close();
    }
    note("");
    refresh(now, state);
    if (amended) { amended = false; if (marksIn(now)[0]?.dataset.reason !== reason) again(); }
  }
  if (bar.hidden !== !shown) bar.hidden = !shown;
  begin();
}

function refresh(now, state) {
  const mine = marksIn(now)[0];
  now.querySelectorAll("[data-by]").forEach((mark) => mark.classList.toggle("mine", mark === mine));
  all("[data-choice]").forEach((button) => {
    const { states, means } = button.dataset;
    button.hidden = !states.split(" ").includes(state);
    button.setAttribute("aria-pressed", String(means.split(" ").includes(mine?.dataset.verdict)));
  });
  bar.classList.toggle("unnamed", !tidy(name.value));
  if (mine) {
    if (!reason) choose(mine.dataset.reason);
    if (!comment.value) comment.value = mine.dataset.comment;
  } else if (judged) choose("");  // taken back, and its reason with it
  judged = !!mine;
}

// `choice` is what the pressed button says. With a drawing open its region goes along.
function send(choice, { row, region = "" } = {}) {
  if (!tidy(name.value)) {
    bar.classList.add("unnamed");
    (name.offsetParent ? name : document.querySelector("#person input"))?.focus();
    return;
  }
  if (performance.now() < waiting) return;
  waiting = performance.now() + 6000;
  note("");
  const mine = marksIn(row ?? said())[0];
  const flag = {
    choice, reason, comment: comment.value, annotator: tidy(name.value), keep: keep.checked,
    lead_ms: Math.round(performance.now() - since), page, region,
    subject: row ? row.dataset.subject : subject, seen: mine?.dataset.event ?? "",
  };
  if (row) Object.assign(flag, { row: Number(row.dataset.row), reason: "", comment: "" });
  else if (editor.isOpen() && editor.subject() === subject) {
    flag.region = editor.drawn();
    sent = subject;
  }
  trigger("select", flag);
}

// A correct alarm takes the outline on the screen as its region, unless one is drawn.
const press = (button) => send(button.dataset.choice, { region: button.dataset.choice === "TP" ? "screen" : "" });

function undo() {
  const event = said()?.querySelector("[data-undo]")?.dataset.undo ?? marksIn(said())[0]?.dataset.event;
  if ((event || place === "annotate") && performance.now() >= waiting) {
    waiting = performance.now() + 6000;
    trigger("undo", { event: event ?? "", annotator: tidy(name.value), page });
  }
}

// A reason given after the verdict belongs to it: stored again, with the reason.
function because(code) {
  choose(code === reason ? "" : code);
  if (performance.now() < waiting) amended = true;
  else again();
}

function again() {
  const pressed = $(".flag-verdicts button[aria-pressed=true]:not([hidden])");
  if (marksIn(said())[0] && pressed) send(pressed.dataset.choice);
}

// Drawing: a drawing that was closed goes on; else what it starts with is asked for, once.
const ground = () => document.querySelector(stage);
const opened = (ok) => {
  draw.setAttribute("aria-expanded", String(editor.isOpen()));
  note(ok ? "" : "no-stage");
};
function toggleDrawing() {
  if (editor.isOpen()) editor.close();
  else if (editor.has(subject)) opened(editor.open(subject, ground));
  else {
    asked = subject;
    draw.setAttribute("aria-busy", "true");
    trigger("edit", { annotator: tidy(name.value), subject });
  }
}
function begin() {
  const start = around.querySelector("[data-counts]")?.dataset;
  if (!start || start.n === started) return;
  started = start.n;
  draw.removeAttribute("aria-busy");
  if (asked && asked === start.subject && asked === subject) opened(editor.open(subject, ground, start));
  asked = "";
}
$(".region-layer").addEventListener("close", () => draw.setAttribute("aria-expanded", "false"));

bar.addEventListener("click", (event) => {
  sync();
  const button = event.target.closest("button");
  if (button?.dataset.choice) press(button);
  else if (button?.dataset.reason) because(button.dataset.reason);
  else if (button === draw) toggleDrawing();
});
around.addEventListener("click", (event) => {
  if (event.target.closest("[data-undo]")) undo();
});
comment.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" && event.key !== "Escape") return;
  event.stopPropagation();
  comment.blur();
  if (event.key === "Enter") again();
});
// A table's button, wherever the table stands; before the row takes the click.
document.addEventListener("click", (event) => {
  const quick = element.isConnected && event.target.closest?.("[data-flag-choice]");
  const row = quick && quick.closest("[data-flag-place]");
  if (row?.dataset.flagPlace !== place) return;
  event.stopPropagation();
  send(quick.dataset.flagChoice, { row });
}, true);

// Name and consent are the browser's, the same in every bar of every page of this site.
const share = () => {
  name.value = read(remembered.name);
  keep.checked = read(remembered.keep) === "yes";
  seen = "";
  sync();
};
name.addEventListener("input", () => {
  remember(remembered.name, name.value);
  bar.classList.toggle("unnamed", !tidy(name.value));
});
name.addEventListener("change", () => window.dispatchEvent(new Event("adaclip-person")));
name.addEventListener("keydown", (event) => { if (event.key === "Enter") name.blur(); });
keep.addEventListener("change", () => {
  remember(remembered.keep, keep.checked ? "yes" : "");
  window.dispatchEvent(new Event("adaclip-person"));
});
window.addEventListener("adaclip-person", share);
window.addEventListener("storage", share);  // written in another window

// Keys are the visible bar's, wherever the focus is. Capturing: Escape closes the drawing first.
document.addEventListener("keydown", (event) => {
  if (!element.isConnected || bar.hidden || !bar.offsetParent || typing(event.target)) return;
  const help = document.querySelector("#help:not([hidden])");
  if (editor.isOpen() && !help && event.target.type !== "range" && editor.key(event)) {
    event.preventDefault();
    event.stopPropagation();
    return;
  }
  if (!plainKey(event) || event.repeat) return;
  sync();
  const digit = /^(?:Digit|Numpad)([1-7])$/.exec(event.code)?.[1];
  if (digit && (event.shiftKey || place === "annotate")) {
    event.preventDefault();
    because(all("[data-reason]")[digit - 1].dataset.reason);
    return;
  }
  if (event.shiftKey) return;
  const key = event.key.toLowerCase();
  const buttons = all("[data-key]").filter((button) => button.dataset.key === key);
  const button = buttons.find((one) => !one.hidden);
  if (button) press(button);
  else if (buttons.length) note(said().dataset.state);
  else if (key === "u") undo();
  else if (key === "b") toggleDrawing();
  else return;
  event.preventDefault();
}, true);

observe(around, sync);
share();
