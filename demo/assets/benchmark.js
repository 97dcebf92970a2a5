// The Benchmark tab in the browser: clicks, charts, address, keys, pictures. Runs once as gr.HTML's
// js_on_load, outside of the tabs, with `element`, `trigger`, `server` and `watch`.
const { typing, plainKey, observe } = window.dom;
const $ = (selector) => document.querySelector(selector);
const root = () => $("#benchmark");
const query = () => new URLSearchParams(location.search);
const tabs = () => [...document.querySelectorAll("#tabs > .tab-wrapper button[role=tab]")];
const label = (button) => button.innerText.trim().toLowerCase();
const open = () => tabs().find((button) => button.getAttribute("aria-selected") === "true");
const act = (data) => trigger("act", data);

// Tabs and the address. Each tab keeps the part of the address that is its own.
const kept = {};
let arrived = false;
let following = false;
function arrive() {
  arrived = true;
  trigger("arrive", { query: location.search });
}
function choose(name) {
  const button = tabs().find((one) => label(one) === name);
  if (!button) return false;
  if (open() !== button) {
    following = true;
    button.click();
    following = false;
  }
  return true;
}
function follow() {
  const name = query().get("tab") ?? "detect";
  if (!choose(name)) return false;
  if (name === "benchmark") arrive();
  return true;
}
window.addEventListener("popstate", follow);
function tabClicked(event) {
  const button = event.target.closest?.("#tabs > .tab-wrapper button[role=tab]");
  if (!button || following) return;
  const name = label(button);
  const before = query().get("tab") ?? "detect";
  if (name === before) return;
  kept[before] = location.search;
  history.pushState(null, "", kept[name] ?? `?tab=${name}`);
  if (name === "benchmark" && !arrived) arrive();
}

// What the server says the address is, and what a moved threshold changes in the charts.
watch("value", () => {
  const said = element.querySelector("[data-query]");
  changes = JSON.parse(said?.dataset.changes ?? "{}");
  change();
  if (asked) asked.until ||= performance.now() + HOLD;
  setTimeout(reveal, 50);
  if (!said || (query().get("tab") ?? "detect") !== "benchmark") return;
  const now = new URLSearchParams(said.dataset.query);
  const theme = query().get("__theme");
  if (theme) now.set("__theme", theme);
  const text = `?${now}`;
  if (text === `?${query()}`) return;
  if (said.dataset.step === "push") history.pushState(null, "", text);
  else history.replaceState(null, "", text);
});

// What a click opens is brought to where one looks, and has the focus. It is kept there while the
// rest of the page is still being drawn, until the person does something else.
const HOLD = 15000; // ms after the answer: a slow machine draws charts that long
let asked = null;
const calm = window.matchMedia("(prefers-reduced-motion: reduce)");
const hold = (patch, view, until) => { asked = { patch, view, until }; };
function clicked(patch) {
  const now = query();
  const known = Object.entries(patch).every(([name, value]) => (now.get(name) ?? "") === value);
  hold(patch, now.get("view"), known ? performance.now() + HOLD : 0); // 0: not answered yet
  reveal();
  act({ patch });
}
function opened({ patch, view }) {
  if (query().get("view") !== view) return patch.image ? ".inspect" : "#bench-views";
  if (patch.image) return ".inspect";
  if (patch.outcome || patch.scores) return "#bench-gallery";
  return patch.class ? "#card-histogram" : "";
}
function reveal() {
  if (!asked?.until) return;
  const selector = performance.now() < asked.until && opened(asked);
  if (!selector) { asked = null; return; }
  const target = [...(root()?.querySelectorAll(selector) ?? [])].find((one) => one.offsetParent);
  if (target) show(target);
}
function show(target) {
  const margin = parseFloat(getComputedStyle(target).scrollMarginTop) || 0;
  const { top, bottom, height } = target.getBoundingClientRect();
  const fits = height <= innerHeight - margin;
  if (top < margin || (fits ? bottom > innerHeight : top > innerHeight / 3)) {
    const behavior = calm.matches ? "auto" : "smooth";
    target.scrollIntoView({ block: fits ? "nearest" : "start", behavior });
  }
  const focus = target.matches("[tabindex]") ? target : target.querySelector("[data-focus]");
  if (!target.contains(document.activeElement)) focus?.focus({ preventScroll: true });
}

// Clicks. Everything that can be clicked says in data attributes what it means.
function pressed(event) {
  const button = event.target.closest?.("[data-act=bench]");
  if (!button || button.disabled) return;
  const { patch, sort, pin, turn, detect, job, resume, measure, png } = button.dataset;
  if (detect) openInDetect(button.closest(".inspect"));
  else if (png) picture(png);
  else if (job) trigger("steer", { job });
  else if (resume) trigger("steer", { resume });
  else if (sort !== undefined) act({ sort });
  else if (pin !== undefined) act({ pin });
  else if (measure !== undefined) act({ measure });
  else if (turn !== undefined) act({ turn: Number(turn) });
  else if (patch !== undefined) clicked(JSON.parse(patch));
}
// The pages of this tab: only a person's click counts, not the server's choosing one.
function paged(event) {
  const button = event.target.closest?.("#bench-views > .tab-wrapper button[role=tab]");
  if (button && event.isTrusted) act({ view: label(button) });
}

// Keys work wherever the focus is while a picture is open: after a click nothing may have it.
document.addEventListener("keydown", (event) => {
  const move = { ArrowLeft: "previous", ArrowRight: "next", Escape: "close" }[event.key];
  const box = [...document.querySelectorAll("#benchmark .inspect")].find((one) => one.offsetParent);
  if (!move || !box || !plainKey(event) || event.shiftKey || typing(event.target)) return;
  if (event.target.closest?.("input, [role=slider], [role=tab]")) return;
  event.preventDefault();
  box.querySelector(`[data-move=${move}]:not(:disabled)`)?.click();
});

// Charts, of every tab: each is drawn to the room it has, also one that was drawn while hidden.
// In this tab a click is the patch that the point carries.
function fit(plot) {
  if (!plot?.offsetParent || !plot._fullLayout || !window.Plotly) return;
  if (Math.abs(plot._fullLayout.width - plot.clientWidth) > 1) window.Plotly.Plots.resize(plot);
}
const room = new ResizeObserver((entries) => {
  for (const { target } of entries) fit(target.querySelector(".js-plotly-plot"));
});
function hook() {
  for (const plot of document.querySelectorAll("#tabs .js-plotly-plot")) {
    if (plot.hooked || !plot.on) continue;
    plot.hooked = true;
    plot.on("plotly_afterplot", () => { fit(plot); reveal(); });
    if (root()?.contains(plot)) {
      plot.on("plotly_click", (event) => {
        const data = event.points?.[0]?.customdata;
        const { clientX: x, clientY: y } = event.event ?? {};
        if (!data?.cell) return data && clicked(data);
        window.dispatchEvent(new CustomEvent("bench-bar", { detail: { ...data, x, y } }));
      });
    }
    room.observe(plot.closest(".block") ?? plot);
    fit(plot);
  }
}
// A chart as a picture on the ground that it stands on, twice as fine as the screen.
async function picture(id) {
  const plot = $(`#${id} .js-plotly-plot`);
  if (!plot?._fullLayout) return;
  const { backgroundColor, color } = getComputedStyle(plot.closest(".chart"));
  const { width, height } = plot._fullLayout;
  const layout = { ...plot.layout, paper_bgcolor: backgroundColor };
  layout.font = { ...layout.font, color };
  const size = { format: "png", scale: 2, width, height, filename: id.replace("chart-", "adaclip-") };
  await window.Plotly.downloadImage({ data: plot.data, layout }, size);
}
let changes = {};
function change() {
  for (const [id, { keep, traces, layout }] of Object.entries(changes)) {
    const plot = $(`#${id} .js-plotly-plot`);
    if (!plot?._fullLayout || !window.Plotly) continue; // tried again when it is there
    delete changes[id];
    const { Plotly } = window;
    if (traces.length || plot.data.length !== keep) {
      const data = [...plot.data.slice(0, keep), ...traces];
      Plotly.react(plot, data, { ...plot.layout, ...layout });
    } else if (Object.keys(layout).length) Plotly.relayout(plot, layout);
  }
}

// Thumbnails, as they come into view, a few at a time; those seen stay.
const seen = new Map();
const waiting = new Set();
let asking = 0;
function fillThumb(image, answer) {
  if (answer.src) image.src = answer.src;
  image.closest(".frame")?.classList.toggle("gone", !answer.src);
  if (answer.error) image.closest("button").title += `\n${answer.error}`;
}
function keep(key, answer) {
  seen.set(key, answer);
  if (seen.size > 1500) seen.delete(seen.keys().next().value);
}
const key = (image) => `${image.closest("[data-run]")?.dataset.run}\n${image.dataset.thumb}`;
const near = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    if (isIntersecting) waiting.add(target);
    else waiting.delete(target);
  }
  setTimeout(ask, 30);
}, { rootMargin: "300px" });
async function ask() {
  while (asking < 2 && waiting.size) {
    const run = [...waiting][0].closest("[data-run]")?.dataset.run;
    const images = [...waiting].filter((image) => image.isConnected
      && image.closest("[data-run]")?.dataset.run === run).slice(0, 8);
    [...waiting].filter((image) => !image.isConnected).forEach((image) => waiting.delete(image));
    images.forEach((image) => { waiting.delete(image); near.unobserve(image); });
    if (!images.length) return;
    asking += 1;
    try {
      const answers = await server.thumbs({ run, paths: images.map((one) => one.dataset.thumb) });
      for (const image of images) {
        const answer = answers[image.dataset.thumb];
        if (!answer) continue;
        keep(key(image), answer);
        fillThumb(image, answer);
      }
    } catch { images.forEach((image) => image.closest(".frame")?.classList.add("gone")); }
    finally { asking -= 1; }
  }
}
function thumbnails() {
  for (const image of document.querySelectorAll("#bench-gallery img[data-thumb]:not([data-on])")) {
    image.dataset.on = "";
    const known = seen.get(key(image));
    if (known) fillThumb(image, known);
    else near.observe(image);
  }
}

// One picture and its views, of one run or of two. Kept, so that another threshold only changes the
// words. What was open is marked among the others, and has the focus again once it is closed.
const looks = new Map();
let inspected = "";
async function look(run, image, kind) {
  const name = `${run}\n${image}\n${kind}`;
  if (!looks.has(name)) {
    looks.set(name, server.look({ run, image, kind }).catch(() => ({ error: "No answer." })));
    if (looks.size > 36) looks.delete(looks.keys().next().value);
  }
  return looks.get(name);
}
function inspect() {
  for (const box of document.querySelectorAll("#benchmark .inspect:not([data-on])")) {
    box.dataset.on = "yes";
    const { run, image } = box.dataset;
    for (const figure of box.querySelectorAll("figure")) fill(figure, figure.dataset.run ?? run, image);
  }
  const box = [...document.querySelectorAll("#benchmark .inspect")].find((one) => one.offsetParent);
  const current = box?.dataset.image ?? "";
  for (const shot of document.querySelectorAll("#benchmark button[data-path]")) {
    shot.toggleAttribute("aria-current", shot.dataset.path === current);
    if (!current && inspected === shot.dataset.path && shot.offsetParent) shot.focus();
  }
  if (box && !inspected && !asked) {
    hold({ image: current }, query().get("view"), performance.now() + HOLD);
  }
  inspected = current;
}
async function fill(figure, run, image) {
  const ground = figure.querySelector(".ground");
  const known = looks.has(`${run}\n${image}\n${figure.dataset.kind}`);
  // Leafing through quickly asks for nothing that is not looked at.
  if (!known && figure.dataset.kind === "map") await new Promise((done) => setTimeout(done, 200));
  if (!figure.isConnected) return;
  const answer = await look(run, image, figure.dataset.kind);
  ground.removeAttribute("aria-busy");
  ground.replaceChildren();
  if (answer.src) {
    const picture = new Image();
    picture.src = answer.src;
    picture.alt = `${figure.querySelector("b").innerText} of ${image}`;
    ground.append(picture);
  } else {
    const said = document.createElement("p");
    said.textContent = answer.error ?? "There is none.";
    ground.append(said);
  }
  figure.querySelector("figcaption span").textContent = answer.caption ?? "";
}
async function openInDetect(box) {
  const { run, image } = box.dataset;
  const answer = await look(run, image, "exact");
  if (!answer.src) return;
  const blob = await (await fetch(answer.src)).blob();
  const name = image.split("/").pop().replace(/\.\w+$/, "");
  const files = new DataTransfer();
  files.items.add(new File([blob], `${name}.png`, { type: "image/png" }));
  trigger("hand_over", { run, image });
  tabs().find((button) => label(button) === "detect")?.click();
  const drop = $("#drop input[type=file]");
  drop.files = files.files;
  drop.dispatchEvent(new Event("change", { bubbles: true }));
}

// Plotly takes the browser most of a second to take in: while nothing else is to be done.
const ahead = () => props.plots && import(new URL(`assets/${props.plots}`, document.baseURI).href);
setTimeout(() => (window.requestIdleCallback ?? setTimeout)(() => {
  ahead()?.catch?.(() => {});
}), 1500);

// This tab's own element comes when the tab is first opened.
function settle() {
  const page = root();
  if (page && !page.dataset.bound) {
    page.dataset.bound = "yes";
    page.addEventListener("click", pressed);
    for (const done of ["pointerdown", "wheel", "keydown"]) {
      page.addEventListener(done, () => { asked = null; }, { capture: true, passive: true });
    }
    page.addEventListener("click", paged, true);
  }
  hook();
  if (!page) return;
  change();
  thumbnails();
  inspect();
  reveal();
}
// The tab bar may come a moment later than this.
let tries = 0;
const start = setInterval(() => {
  tries += 1;
  if (tries > 1200) clearInterval(start);
  const all = $("#tabs");
  if (!all || !tabs().length) return;
  clearInterval(start);
  all.addEventListener("click", tabClicked, true);
  observe(all, settle);
  settle();
  if (query().get("tab")) follow();
}, 50);
