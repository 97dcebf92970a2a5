// The review's stage: hide and show what was predicted, previous and next by key.
const { typing, press } = window.dom;
const compare = (bare) => element.classList.toggle("bare", bare);
element.addEventListener("click", (event) => {
  if (event.target.closest(".look:not(.plain)")) compare();
});
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey || event.isComposing) return;
  if (!element.isConnected || !element.offsetParent || typing(event.target)) return;
  if (document.querySelector("#help:not([hidden])") || event.target.closest?.("[role=slider]")) return;
  if (event.target.type === "radio") return;
  if (event.key === "ArrowLeft") press("review-previous");
  else if (event.key === "ArrowRight") press("review-next");
  else if (event.key.toLowerCase() === "h") compare();
  else return;
  event.preventDefault();
});
