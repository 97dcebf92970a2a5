// What every script of the page uses; in the page's head, so it is there before any of them.
window.dom = {
  // True where a key press is text: no shortcut may take it.
  typing: (node) =>
    node?.isContentEditable || node?.tagName === "TEXTAREA" || node?.tagName === "SELECT" ||
    (node?.tagName === "INPUT" && !["checkbox", "radio", "button", "file"].includes(node.type)),

  // True for a key press that may be a shortcut: no modifier but Shift, no composition, no help.
  plainKey: (event) =>
    !(event.ctrlKey || event.metaKey || event.altKey || event.isComposing) &&
    !document.querySelector("#help:not([hidden])"),

  // Click a button by id, as a person could: not while it is disabled or out of sight.
  press: (id) => {
    const button = document.getElementById(id);
    if (button && !button.disabled && button.offsetParent) button.click();
  },

  // What this browser remembers; private windows may refuse.
  read: (key) => { try { return localStorage.getItem(key) ?? ""; } catch { return ""; } },
  remember: (key, value) => { try { localStorage.setItem(key, value); } catch { /* private */ } },

  // Call `settle` once after the element has changed, however much changed at a time.
  observe: (element, settle, wait = 16) => {
    let queued = false;
    const observer = new MutationObserver(() => {
      if (queued) return;
      queued = true;
      setTimeout(() => { queued = false; settle(); }, wait);  // hidden windows draw no frames
    });
    observer.observe(element, { childList: true, subtree: true });
    return observer;
  },

  // Small pictures as they come into view: each `img[data-thumb]` in the element gets what
  // `ask([name, ...])` answers, {name: {src} or {error}}. Eight at a time, each asked for once.
  // Returns what looks for new ones, to be called when the element has been drawn anew.
  thumbnails: (element, ask) => {
    const known = new Map();
    const waiting = new Set();
    let asking = 0;
    const show = (image) => {
      const { src, error } = known.get(image.dataset.thumb);
      if (src) image.src = src;
      image.parentElement.classList.toggle("gone", !src);
      image.parentElement.title = error ?? "";
    };
    const look = () => {
      for (const image of element.querySelectorAll("img[data-thumb]:not([src])")) {
        if (known.has(image.dataset.thumb)) show(image);
        else near.observe(image);
      }
    };
    const next = async () => {
      while (asking < 2 && waiting.size) {
        const names = [...waiting].slice(0, 8);
        names.forEach((name) => waiting.delete(name));
        asking += 1;
        try {
          const answers = await ask(names);
          for (const name of names) known.set(name, answers[name] ?? { error: "No answer." });
          while (known.size > 600) known.delete(known.keys().next().value);
          look();
        } catch { /* asked again when it is drawn anew */ }
        finally { asking -= 1; }
      }
    };
    const near = new IntersectionObserver((entries) => {
      for (const { target, isIntersecting } of entries) {
        if (!isIntersecting) continue;
        near.unobserve(target);
        if (!known.has(target.dataset.thumb)) waiting.add(target.dataset.thumb);
      }
      setTimeout(next, 30);
    }, { rootMargin: "200px" });
    look();
    return look;
  },
};
// Where a page has a <base> with an href, Plotly writes the address of the moment into every
// url(#fill), and the fill is lost when the address changes. Browsers need no address there.
{
  const base = document.querySelector("base");
  const read = base?.getAttribute.bind(base);
  if (base) base.getAttribute = (name) => (name === "href" ? null : read(name));
}
