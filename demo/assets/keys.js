// Keys, help, light and dark: behaviour that needs no server. One function, called by Gradio once
// the page is up. Elements are found by id and data attributes only.
() => {
  const $ = (selector) => document.querySelector(selector);
  const { typing, press } = window.dom;
  const help = (show) => {
    const box = $("#help");
    if (!box) return;
    box.hidden = show === undefined ? !box.hidden : !show;
    if (!box.hidden) box.querySelector("button").focus();
  };
  // Previous and next follow the table as it is sorted; the buttons' own order is the upload's.
  const step = (by) => {
    const rows = [...document.querySelectorAll("#listing tr[data-index]")];
    const at = rows.findIndex((row) => row.hasAttribute("aria-current"));
    if (at < 0) return press(by < 0 ? "previous" : "next");
    rows[(at + by + rows.length) % rows.length].click();
  };
  // These keys are the Detect tab's; other tabs have their own.
  const onDetect = () => !!$("#bench")?.offsetParent;
  const view = (number) => document.querySelectorAll("#view input")[number - 1]?.click();

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const name = $("#class-name input");
    if (event.key === "Enter" && event.target === name) {
      // Two steps: the list takes the key first and commits what was typed.
      setTimeout(() => { name.blur(); setTimeout(() => press("detect"), 120); }, 60);
      return;
    }
    if (event.key === "Escape") {
      if (!$("#help")?.hidden) help(false);
      else if (!typing(event.target)) press("cancel");
      return;
    }
    if (typing(event.target)) return;
    const inRadio = event.target.type === "radio";
    const actions = {
      ArrowLeft: () => !inRadio && step(-1),
      ArrowRight: () => !inRadio && step(1),
      r: () => press("reset"),
      R: () => press("reset"),
      "?": () => help(),
      1: () => view(1), 2: () => view(2), 3: () => view(3), 4: () => view(4),
    };
    if (!actions[event.key] || event.target.closest?.("[role=slider]")) return;
    if (event.key !== "?" && !onDetect()) return;
    event.preventDefault();
    actions[event.key]();
  });

  document.addEventListener("click", (event) => {
    const act = event.target.closest?.("[data-act]")?.dataset.act;
    if (act === "theme") document.body.classList.toggle("dark");
    if (act === "help" || event.target.id === "help") help();
    const button = event.target.closest?.("#previous, #next");
    if (button && event.isTrusted && document.querySelector("#listing tr[aria-current]")) {
      event.stopPropagation();
      step(button.id === "previous" ? -1 : 1);
    }
  }, true);

  // A list of choices that is left with Tab closes: Gradio would open it again after it is left.
  window.addEventListener("keydown", (event) => {
    if (event.key === "Tab" && event.target.role === "combobox") event.stopPropagation();
  }, true);

  document.documentElement.dataset.keys = "ready";  // what waits to press one can know
}
