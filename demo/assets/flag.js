// A flag bar: verdicts, reasons, name, keys. Runs as gr.HTML's js_on_load with `element` and
// `trigger`. What the server said is in #flag-PLACE-said; this reads it and never writes there,
// except for the time of day, which only the browser knows.
const bar = element.querySelector(".flag");
const place = bar.dataset.place;
const $ = (selector) => bar.querySelector(selector);
const all = (selector) => [...bar.querySelectorAll(selector)];
const said = () => document.querySelector(`#flag-${place}-said .flag-said`);
const remembered = { name: "adaclip-annotator", keep: "adaclip-keep-images" };
const page = (window.adaclipPage ??= Math.random().toString(36).slice(2, 12));
const [name, keep, comment] = [$(".flag-name"), $(".flag-keep input"), $(".flag-comment")];
const read = (key) => { try { return localStorage.getItem(key) ?? ""; } catch { return ""; } };
const keepFor = (key, value) => { try { localStorage.setItem(key, value); } catch { /* private */ } };
const tidy = (text) => text.normalize("NFC").replace(/\s+/g, " ").trim();

let seen = "";         // data-n of what was said last
let subject = "";
let since = performance.now();
let waiting = 0;       // until when an answer is awaited: no second press meanwhile
let reason = "";
let judged = false;
let amended = false;   // a reason was given while its verdict was still on its way

const BLIND = { false_alarm: ["no_defect", "No defect"], missed: ["defect", "Defect"] };
const OPEN = {
  false_alarm: () => ["false_alarm", "False alarm"],
  missed: () => ["missed", "Missed defect"],
  correct: (alarm) => ["correct", alarm ? "Correct alarm" : "Correct pass"],
  unsure: () => ["unsure", "Not sure"],
};
const region = () => document.querySelector(`#flag-${place}-region`);
const regionOpen = () => !!region()?.offsetParent;
const marksIn = (root) =>
  [...(root?.querySelectorAll("[data-by]") ?? [])].filter((m) => m.dataset.by === tidy(name.value));

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
  const { subject: shown = "", alarm, blind } = now.dataset;
  if (now.dataset.n !== seen) {
    seen = now.dataset.n;
    waiting = 0;
    now.querySelectorAll("time").forEach((time) => {
      const date = new Date(time.dateTime);
      if (!Number.isNaN(date.getTime())) time.textContent = date.toLocaleTimeString("en-GB");
    });
    if (shown !== subject) {
      subject = shown;
      judged = amended = false;
      since = performance.now();
      comment.value = "";
      choose("");
    }
    refresh(now, alarm === "yes", blind === "yes");
    if (amended) { amended = false; if (marksIn(now)[0]?.dataset.reason !== reason) again(); }
  }
  const hide = !shown;
  if (bar.hidden !== hide) bar.hidden = hide;
  const open = regionOpen();
  if ($("[data-region]").getAttribute("aria-expanded") !== String(open)) {
    $("[data-region]").setAttribute("aria-expanded", String(open));
    if (open) region().scrollIntoView({ block: "nearest", behavior: "smooth" });
  }
}

function refresh(now, alarm, blind) {
  const mine = marksIn(now)[0];
  now.querySelectorAll("[data-by]").forEach((mark) => mark.classList.toggle("mine", mark === mine));
  const verdict = mine?.dataset.verdict ?? "";
  const pressed = { FP: ["false_alarm", "no_defect"], FN: ["missed"], unsure: ["unsure"],
    TP: ["correct", "defect"], TN: ["correct", "no_defect"] }[verdict] ?? [];
  all(".flag-verdicts button").forEach((button) => {
    button.dataset.slot ??= button.dataset.choice;
    const slot = button.dataset.slot;
    const [choice, label] = (blind && BLIND[slot]) || OPEN[slot](alarm);
    button.dataset.choice = choice;
    button.querySelector("span").textContent = label;
    button.hidden = blind && slot === "correct";
    button.setAttribute("aria-pressed", String(pressed.includes(choice)));
  });
  bar.classList.toggle("unnamed", !tidy(name.value));
  if (mine) {
    if (!reason) choose(mine.dataset.reason);
    if (!comment.value) comment.value = mine.dataset.comment;
  } else if (judged) choose("");  // taken back, and its reason with it
  judged = !!mine;
}

function send(choice, row) {
  if (!tidy(name.value)) {
    bar.classList.add("unnamed");
    (name.offsetParent ? name : document.querySelector("#person input"))?.focus();
    return;
  }
  if (performance.now() < waiting) return;
  waiting = performance.now() + 6000;
  const mine = marksIn(row ?? said())[0];
  const flag = {
    choice, reason, comment: comment.value, annotator: tidy(name.value), keep: keep.checked,
    lead_ms: Math.round(performance.now() - since), page,
    subject: row ? row.dataset.subject : subject, seen: mine?.dataset.event ?? "",
  };
  if (row) Object.assign(flag, { row: Number(row.dataset.row), reason: "", comment: "" });
  trigger(!row && regionOpen() ? "submit" : "select", flag);
}

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
  const pressed = $(".flag-verdicts button[aria-pressed=true]");
  if (marksIn(said())[0] && pressed) send(pressed.dataset.choice);
}

function toggleRegion() {
  trigger(regionOpen() ? "clear" : "edit", { annotator: tidy(name.value), subject });
}

bar.addEventListener("click", (event) => {
  sync();
  const button = event.target.closest("button");
  if (button?.dataset.choice) send(button.dataset.choice);
  else if (button?.dataset.reason) because(button.dataset.reason);
  else if (button && "region" in button.dataset) toggleRegion();
});
comment.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" && event.key !== "Escape") return;
  event.stopPropagation();
  comment.blur();
  if (event.key === "Enter") again();
});
document.addEventListener("click", (event) => {
  if (!element.isConnected) return;
  if (event.target.closest?.(`#flag-${place}-said [data-undo]`)) undo();
  const quick = event.target.closest?.("[data-flag-choice]");
  if (quick && quick.closest(`[data-flag-place="${place}"]`)) {
    event.stopPropagation();
    send(quick.dataset.flagChoice, quick.closest("[data-flag-place]"));
  }
}, true);

// Name and consent are the browser's, the same in every bar of every page of this site.
const share = () => {
  name.value = read(remembered.name);
  keep.checked = read(remembered.keep) === "yes";
  seen = "";
  sync();
};
name.addEventListener("input", () => {
  keepFor(remembered.name, name.value);
  bar.classList.toggle("unnamed", !tidy(name.value));
});
name.addEventListener("change", () => window.dispatchEvent(new Event("adaclip-person")));
name.addEventListener("keydown", (event) => { if (event.key === "Enter") name.blur(); });
keep.addEventListener("change", () => {
  keepFor(remembered.keep, keep.checked ? "yes" : "");
  window.dispatchEvent(new Event("adaclip-person"));
});
window.addEventListener("adaclip-person", share);
window.addEventListener("storage", share);  // written in another window

const typing = (node) =>
  node?.isContentEditable || node?.tagName === "TEXTAREA" || node?.tagName === "SELECT" ||
  (node?.tagName === "INPUT" && !["checkbox", "radio", "button", "file"].includes(node.type));
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.repeat) return;
  if (!element.isConnected || bar.hidden || !bar.offsetParent || typing(event.target)) return;
  if (document.querySelector("#help:not([hidden])")) return;
  sync();
  const digit = /^(?:Digit|Numpad)([1-7])$/.exec(event.code)?.[1];
  if (digit && (event.shiftKey || place === "annotate")) {
    event.preventDefault();
    because(all("[data-reason]")[digit - 1].dataset.reason);
    return;
  }
  if (event.shiftKey) return;
  const slot = { f: "false_alarm", t: "correct", n: "missed", s: "unsure" }[event.key.toLowerCase()];
  const button = slot && all(".flag-verdicts button").find((b) => (b.dataset.slot ?? b.dataset.choice) === slot);
  if (button && !button.hidden) send(button.dataset.choice);
  else if (event.key === "u") undo();
  else if (event.key === "b") toggleRegion();
  else return;
  event.preventDefault();
});

let queued = false;
new MutationObserver(() => {
  if (queued) return;
  queued = true;
  setTimeout(() => { queued = false; sync(); }, 16);  // hidden windows draw no frames
}).observe(document.body, { childList: true, subtree: true });
share();
