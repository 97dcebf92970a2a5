// The Annotate tab's own field for the person's name: the same that the flag bars remember.
const field = element.querySelector("input");
const read = () => { try { return localStorage.getItem("adaclip-annotator") ?? ""; } catch { return ""; } };
const show = () => { if (document.activeElement !== field) field.value = read(); };
field.addEventListener("input", () => {
  try { localStorage.setItem("adaclip-annotator", field.value); } catch { /* private */ }
  element.classList.remove("unnamed");
});
field.addEventListener("change", () => window.dispatchEvent(new Event("adaclip-person")));
field.addEventListener("keydown", (event) => { if (event.key === "Enter") field.blur(); });
window.addEventListener("adaclip-person", show);
window.addEventListener("storage", show);
show();
