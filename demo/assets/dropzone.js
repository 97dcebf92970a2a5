// The drop zone of the Detect tab: drop anywhere, click, paste, camera. Runs as gr.HTML's
// js_on_load with `element`, `trigger` and `upload`; tells Python {files: [{path, name}]}.
const face = element.querySelector(".drop-face");
const note = element.querySelector(".drop-note");
const view = element.querySelector(".camera-view");
const say = (text) => { note.textContent = text; face.classList.toggle("told", !!text); };

// Detect pressed while pictures are on their way is pressed once they are on the stage.
let expected = false;
let pressed = false;
element.closest("#setup").addEventListener("click", (event) => {
  if (!expected || !event.target.closest("#detect")) return;
  event.stopPropagation();
  pressed = true;
}, true);
function arrived() {
  expected = false;
  if (pressed) { pressed = false; window.dom.press("detect"); }
}
function expectOnStage(name) {
  const shown = () => document.querySelector("#position .name")?.textContent ?? "";
  const before = shown();
  const done = () => { observer.disconnect(); clearTimeout(timer); arrived(); };
  // Other answers redraw the stage, too: only these pictures' name counts.
  const settle = () => { if (shown() && (shown() === name || shown() !== before)) done(); };
  const observer = window.dom.observe(document.getElementById("position"), settle);
  const timer = setTimeout(done, 15000);  // the same pictures again change nothing on the stage
}

async function send(files) {
  files = [...files].filter((file) => file.size >= 0);
  if (!files.length) return;
  expected = true;
  face.classList.add("sending");
  const sent = [];
  const refused = [];
  for (const [index, file] of files.entries()) {
    say(files.length > 1 ? `Uploading ${index + 1} of ${files.length}` : "Uploading");
    try {
      const { path } = await upload(file);
      sent.push({ path, name: file.name });
    } catch (error) {
      refused.push(`${file.name}: ${error.message || error}`);
    }
  }
  face.classList.remove("sending");
  say(refused.length ? `Not uploaded: ${refused.join("; ")}` : "");
  if (!sent.length) return arrived();
  expectOnStage(sent[0].name);
  trigger("upload", { files: sent });
}

element.addEventListener("change", (event) => {
  if (event.target.type !== "file") return;
  event.stopPropagation();
  send(event.target.files).finally(() => { event.target.value = ""; });
});
face.addEventListener("keydown", (event) => {
  if (event.key === "Enter" || event.key === " ") {
    event.preventDefault();
    element.querySelector("input").click();
  }
});

// Dropping works on the whole page, not just on the small rectangle.
let depth = 0;
const hot = (on) => document.body.classList.toggle("dropping", on);
const carriesFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
document.addEventListener("dragenter", (e) => { if (carriesFiles(e)) { depth += 1; hot(true); } });
document.addEventListener("dragleave", () => { depth = Math.max(0, depth - 1); hot(depth > 0); });
document.addEventListener("dragover", (e) => { if (carriesFiles(e)) e.preventDefault(); });
document.addEventListener("drop", (event) => {
  if (!carriesFiles(event)) return;
  event.preventDefault();
  depth = 0;
  hot(false);
  send(event.dataTransfer.files);
});
document.addEventListener("paste", (event) => {
  const files = [...(event.clipboardData?.files ?? [])];
  if (files.length) { event.preventDefault(); send(files); }
});

let stream = null;
const stop = () => { stream?.getTracks().forEach((t) => t.stop()); stream = null; view.hidden = true; };
element.querySelector(".camera").addEventListener("click", async () => {
  if (stream) return stop();
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
  } catch {
    return say("There is no camera, or the browser does not allow it here.");
  }
  const video = view.querySelector("video");
  video.srcObject = stream;
  view.hidden = false;
  await video.play();
});
element.querySelector(".shoot").addEventListener("click", () => {
  const video = view.querySelector("video");
  const canvas = document.createElement("canvas");
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  canvas.getContext("2d").drawImage(video, 0, 0);
  stop();
  canvas.toBlob((blob) => send([new File([blob], "camera.png", { type: "image/png" })]), "image/png");
});
