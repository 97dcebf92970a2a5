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
};
