// Keys, help, light and dark, sortable tables: behaviour that needs no server. One function, called
// by Gradio once the page is up. Elements are found by id and data attributes only.
() => {
  const $ = (selector) => document.querySelector(selector);
  const press = (id) => {
    const button = $(`#${id}`);
    if (button && !button.disabled && button.offsetParent) button.click();
  };
  const typing = (node) =>
    node?.isContentEditable ||
    node?.tagName === "TEXTAREA" ||
    (node?.tagName === "INPUT" && !["checkbox", "radio", "button", "file"].includes(node.type));
  const help = (show) => {
    const box = $("#help");
    if (!box) return;
    box.hidden = show === undefined ? !box.hidden : !show;
    if (!box.hidden) box.querySelector("button").focus();
  };
  // Marked at once: the server's word comes later, and the next key must count from here.
  document.addEventListener("click", (event) => {
    const row = event.target.closest?.("#listing tr[data-index]");
    if (!row) return;
    for (const other of document.querySelectorAll("#listing tr[aria-current]"))
      other.removeAttribute("aria-current");
    row.setAttribute("aria-current", "true");
  });
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
    const row = event.target.closest?.("tr[data-index]");
    if (row && (event.key === "Enter" || event.key === " ")) {
      event.preventDefault();
      row.click();
      return;
    }
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
    if (button && order && event.isTrusted) {
      event.stopPropagation();
      step(button.id === "previous" ? -1 : 1);
    }
    const sort = event.target.closest?.("[data-sort]");
    if (sort) { event.stopPropagation(); chooseSort(Number(sort.dataset.sort)); }
  }, true);

  // Sorting lives in the browser and survives the table being drawn anew during a run.
  let order = null;
  const chooseSort = (column) => {
    order = order?.column === column
      ? (order.down ? { column, down: false } : null)
      : { column, down: true };
    applySort();
  };
  const applySort = () => {
    const table = $("#listing table");
    if (!table) return;
    const key = order ?? { column: 0, down: false };
    const value = (row) => {
      const cell = row.cells[Math.min(key.column, row.cells.length - 1)];
      const number = Number(cell.dataset.v);
      return Number.isNaN(number) ? cell.dataset.v : number;
    };
    const rows = [...table.tBodies[0].rows];
    const sorted = [...rows].sort((a, b) => {
      const [x, y] = [value(a), value(b)];
      const by = typeof x === "number" && typeof y === "number"
        ? x - y : String(x).localeCompare(String(y), undefined, { numeric: true });
      return (key.down ? -by : by) || a.dataset.index - b.dataset.index;
    });
    if (sorted.some((row, i) => row !== rows[i])) table.tBodies[0].append(...sorted);
    table.querySelectorAll("th").forEach((head, i) => {
      const state = order?.column !== i ? "none" : order.down ? "descending" : "ascending";
      if (head.getAttribute("aria-sort") !== state) head.setAttribute("aria-sort", state);
    });
  };

  // The table is drawn anew at each step: where it was scrolled to and what had the focus stay.
  let scrolled = 0;
  let focused = null;
  let current = null;
  document.addEventListener("scroll", (event) => {
    if (event.target.classList?.contains("listing-scroll")) scrolled = event.target.scrollTop;
  }, true);
  document.addEventListener("focusin", (event) => {
    focused = event.target.closest?.("#listing tr[data-index]")?.dataset.index ?? null;
  });
  const settle = () => {
    const scroller = $(".listing-scroll");
    if (!scroller || scroller.dataset.settled) return;
    scroller.dataset.settled = "yes";
    scroller.scrollTop = scrolled;
    const row = scroller.querySelector("tr[aria-current]");
    if (row && row.dataset.index !== current) {
      current = row.dataset.index;
      const head = scroller.querySelector("thead").offsetHeight;
      if (row.offsetTop - head < scroller.scrollTop) scroller.scrollTop = row.offsetTop - head;
      const below = row.offsetTop + row.offsetHeight - scroller.clientHeight;
      if (below > scroller.scrollTop) scroller.scrollTop = below;
    }
    if (focused !== null && document.activeElement === document.body) {
      scroller.querySelector(`tr[data-index="${focused}"]`)?.focus({ preventScroll: true });
    }
  };

  // Gradio draws the pictures without words; the words are in the view's own radio labels.
  const describe = () => {
    const images = document.querySelectorAll("#viewer img");
    const chosen = $("#view input:checked")?.closest("label")?.innerText.trim() ?? "Result";
    ["The picture", `${chosen} of the picture`].forEach((text, i) => {
      if (images[i] && images[i].alt !== text) images[i].alt = text;
    });
  };
  let queued = false;
  new MutationObserver(() => {
    if (queued) return;
    queued = true;
    requestAnimationFrame(() => { queued = false; applySort(); settle(); describe(); });
  }).observe(document.body, { childList: true, subtree: true });

  document.documentElement.dataset.keys = "ready";  // what waits to press one can know
}
