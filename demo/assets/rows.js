// A table whose rows open something, with small pictures that come as they are looked at.
const pick = (event) => {
  const row = event.target.closest("tr[data-event]");
  if (row) trigger("select", { event: row.dataset.event });
};
element.addEventListener("click", pick);
element.addEventListener("keydown", (event) => {
  if (event.key === "Enter") pick(event);
});
watch("value", window.dom.thumbnails(element, (events) => server.thumbs(events)));
