// A region drawn by hand over the picture one looks at, in place. In the page's head.
//
// The mask (region_mask.js) has the picture's own size, however small the picture is shown. A
// stroke touches and redraws its own surroundings only. The view is in shares of the layer's box,
// so the browser's zoom and the screen's density do not matter. `panel` holds the tools; `layer` is moved over `stage` while it is open.
window.regionEditor = (layer, panel) => {
  const canvas = layer.querySelector("canvas");
  const photo = layer.querySelector("img");
  const ring = layer.querySelector(".region-brush");
  const size = panel.querySelector("input");
  const tool = (name) => panel.querySelector(`[data-tool=${name}]`);
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  const FILL = 0x804646ff, EDGE = 0xff3535f0;  // alpha, blue, green, red
  const KEPT = { drawings: 3, strokes: 60, bytes: 96e6 };
  const drawings = new Map();  // by subject, so that closing loses nothing
  let now = null;              // the drawing that is open: { subject, width, height, pixels, past, … }
  let view = { left: 0, top: 0, width: 1, height: 1 };
  let whole = view;            // the view in which the picture just fits
  let erasing = false;
  let watch = null;
  let stage = () => null;

  // The mask.
  function stamp(from, to) {
    const box = window.regionMask.stroke(now, from, to, radius(), erasing ? 0 : 1);
    if (box.x1 < 0) return;
    const all = now.touched;
    now.touched = {
      x0: Math.min(all.x0, box.x0), y0: Math.min(all.y0, box.y0),
      x1: Math.max(all.x1, box.x1), y1: Math.max(all.y1, box.y1),
    };
    paint(box);
  }
  const begin = () => { now.before.set(now.pixels); now.touched = { x0: Infinity, y0: Infinity, x1: -1, y1: -1 }; };
  const columns = ({ x0, x1, y0, y1 }, source, target) => {
    for (let x = x0, at = 0; x <= x1; x++, at += y1 - y0 + 1) {
      const from = x * now.height + y0;
      if (target) target.set(source.subarray(from, from + y1 - y0 + 1), at);
      else now.pixels.set(source.subarray(at, at + y1 - y0 + 1), from);
    }
  };
  const cut = (part, source) => {
    const pixels = new Uint8Array((part.x1 - part.x0 + 1) * (part.y1 - part.y0 + 1));
    columns(part, source, pixels);
    return { part, pixels };
  };
  function end() {
    const part = now.touched;
    now.touched = null;
    if (part.x1 < 0) return;
    now.past.push(cut(part, now.before));
    now.future = [];
    let bytes = now.past.reduce((sum, step) => sum + step.pixels.length, 0);
    while (now.past.length > KEPT.strokes || (bytes > KEPT.bytes && now.past.length > 1)) {
      bytes -= now.past.shift().pixels.length;
    }
    tools();
  }
  function abandon() {  // a stroke that turns out to be two fingers
    if (!now.touched) return;
    now.pixels.set(now.before);
    now.touched = null;
    paint();
  }
  function swap(from, to) {
    const step = now && !now.touched && from.pop();
    if (!step) return;
    to.push(cut(step.part, now.pixels));
    columns(step.part, step.pixels);
    paint(step.part);
    tools();
  }
  function clear() {
    begin();
    now.pixels.fill(0);
    now.touched = { x0: 0, y0: 0, x1: now.width - 1, y1: now.height - 1 };
    end();
    paint();
  }

  // What is seen: a tint, and a firm line along its edge. `part` is in the picture's pixels.
  function paint(part = { x0: 0, y0: 0, x1: now.width, y1: now.height }) {
    const across = (view.width * canvas.width) / now.width, down = (view.height * canvas.height) / now.height;
    const left = view.left * canvas.width, top = view.top * canvas.height;
    const x0 = Math.max(0, Math.floor(left + part.x0 * across) - 2);
    const y0 = Math.max(0, Math.floor(top + part.y0 * down) - 2);
    const w = Math.min(canvas.width, Math.ceil(left + (part.x1 + 1) * across) + 2) - x0;
    const h = Math.min(canvas.height, Math.ceil(top + (part.y1 + 1) * down) + 2) - y0;
    if (w <= 0 || h <= 0) return;
    const image = pen.createImageData(w, h), pixels = new Uint32Array(image.data.buffer);
    const { pixels: mask, width, height } = now;
    const sample = (count, start, edge, scale, most) => Int32Array.from({ length: count + 2 }, (_, i) => {
      const at = Math.floor((start + i - 0.5 - edge) / scale);
      return at < 0 || at >= most ? -1 : at;
    });
    const xs = sample(w, x0, left, across, width), ys = sample(h, y0, top, down, height);
    const on = (x, y) => x >= 0 && y >= 0 && mask[x * height + y];
    for (let i = 1; i <= w; i++) {
      for (let j = 1; j <= h; j++) {
        if (!on(xs[i], ys[j])) continue;
        const inner = on(xs[i - 1], ys[j]) && on(xs[i + 1], ys[j]) && on(xs[i], ys[j - 1]) && on(xs[i], ys[j + 1]);
        pixels[(j - 1) * w + i - 1] = inner ? FILL : EDGE;
      }
    }
    pen.putImageData(image, x0, y0);
  }
  function look(next) {
    const held = (start, length) =>
      length <= 1 ? (1 - length) / 2 : Math.min(0, Math.max(1 - length, start));
    view = { ...next, left: held(next.left, next.width), top: held(next.top, next.height) };
    for (const side of ["left", "top", "width", "height"]) photo.style[side] = `${100 * view[side]}%`;
    panel.querySelector(".region-zoom").textContent = `${Math.round((100 * view.width) / whole.width)} %`;
    brush();
    pen.clearRect(0, 0, canvas.width, canvas.height);
    paint();
  }
  function fit() {
    const { width, height } = layer.getBoundingClientRect();
    if (!now || !width || !height) return;
    const scale = Math.min(width / now.width, height / now.height);
    whole = { width: (now.width * scale) / width, height: (now.height * scale) / height, left: 0, top: 0 };
    canvas.width = Math.round(width * devicePixelRatio);
    canvas.height = Math.round(height * devicePixelRatio);
    look(whole);
  }
  function zoom(by, x = 0.5, y = 0.5) {
    const most = Math.max(4, (8 * now.width) / (whole.width * layer.getBoundingClientRect().width));
    const to = Math.min(most, Math.max(1, (view.width / whole.width) * by)) / (view.width / whole.width);
    look({
      width: view.width * to, height: view.height * to,
      left: x - (x - view.left) * to, top: y - (y - view.top) * to,
    });
  }

  // Brush, eraser, their size.
  const range = () => Math.max(now.width, now.height, 18) / 9;  // the largest is a sixth of the side
  const radius = () => 0.75 * range() ** (size.value / 100);
  const sizeOf = (r) => (100 * Math.log(r / 0.75)) / Math.log(range());
  let pointer = null;  // where the brush is, in the picture's pixels
  function brush() {
    const r = radius();
    panel.querySelector("output").textContent = `${Math.max(1, Math.round(2 * r))} px`;
    ring.hidden = !pointer;
    if (!pointer) return;
    ring.style.left = `${100 * (view.left + (pointer[0] / now.width) * view.width)}%`;
    ring.style.top = `${100 * (view.top + (pointer[1] / now.height) * view.height)}%`;
    ring.style.width = `${(200 * r * view.width) / now.width}%`;
  }
  function tools() {
    tool("brush").setAttribute("aria-pressed", String(!erasing));
    tool("eraser").setAttribute("aria-pressed", String(erasing));
    tool("undo").disabled = !now.past.length;
    tool("redo").disabled = !now.future.length;
    layer.classList.toggle("erasing", erasing);
  }
  const acts = {
    brush: () => { erasing = false; }, eraser: () => { erasing = true; },
    other: () => { erasing = !erasing; },
    undo: () => swap(now.past, now.future), redo: () => swap(now.future, now.past), clear,
    in: () => zoom(1.5), out: () => zoom(1 / 1.5), fit: () => look(whole),
    smaller: () => { size.value = Number(size.value) - 4; }, larger: () => { size.value = Number(size.value) + 4; },
    close,
  };
  const keys = { e: "other", z: "undo", Z: "redo", "[": "smaller", "]": "larger", "+": "in", "=": "in", "-": "out", 0: "fit", Escape: "close" };
  function act(name) {
    if (!now || !acts[name]) return false;
    acts[name]();
    if (now) { tools(); brush(); }
    return true;
  }
  panel.addEventListener("click", (event) => act(event.target.closest("button")?.dataset.tool));
  size.addEventListener("input", brush);

  // Pointers: one draws, two move and zoom.
  const down = new Map();
  const share = (event) => {
    const { left, top, width, height } = canvas.getBoundingClientRect();
    return [(event.clientX - left) / width, (event.clientY - top) / height];
  };
  const place = ([x, y]) =>
    [((x - view.left) / view.width) * now.width, ((y - view.top) / view.height) * now.height];
  const pair = () => {
    const [a, b] = [...down.values()];
    return { x: (a[0] + b[0]) / 2, y: (a[1] + b[1]) / 2, apart: Math.hypot(a[0] - b[0], a[1] - b[1]) };
  };
  const shift = (x, y) => look({ ...view, left: view.left + x, top: view.top + y });
  canvas.addEventListener("pointerdown", (event) => {
    if (!now || event.button > 1) return;
    event.preventDefault();
    canvas.focus({ preventScroll: true });
    canvas.setPointerCapture(event.pointerId);
    down.set(event.pointerId, share(event));
    if (down.size > 1) return abandon();
    if (event.button === 1) return;  // the middle one moves the picture
    pointer = place(share(event));
    begin();
    stamp(pointer, pointer);
    brush();
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!now) return;
    const before = down.get(event.pointerId);
    if (before && !now.touched) {
      const from = down.size === 2 && pair();
      down.set(event.pointerId, share(event));
      if (!from) return shift(share(event)[0] - before[0], share(event)[1] - before[1]);
      const to = pair();
      shift(to.x - from.x, to.y - from.y);
      return zoom(to.apart / (from.apart || to.apart || 1), to.x, to.y);
    }
    const all = before && event.getCoalescedEvents?.();
    for (const one of all?.length ? all : [event]) {
      const next = place(share(one));
      if (before) stamp(pointer, next);
      pointer = next;
    }
    brush();
  });
  const up = (event) => {
    if (!down.delete(event.pointerId) || !now?.touched) return;
    end();
  };
  canvas.addEventListener("pointerup", up);
  canvas.addEventListener("pointercancel", up);
  canvas.addEventListener("pointerleave", () => { if (!down.size) { pointer = null; if (now) brush(); } });
  canvas.addEventListener("wheel", (event) => {
    if (!now || !(event.ctrlKey || view.width > whole.width)) return;  // else the page scrolls
    event.preventDefault();
    if (event.ctrlKey) zoom(2 ** (-event.deltaY / 200), ...share(event));
    else shift(-event.deltaX / canvas.clientWidth, -event.deltaY / canvas.clientHeight);
  }, { passive: false });
  canvas.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!now || !(step || event.key === " ") || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();  // arrows are the brush's here, not the next picture's
    pointer ??= place([0.5, 0.5]);
    const by = event.shiftKey ? 1 : Math.max(1, radius());
    if (step) pointer = [pointer[0] + step[0] * by, pointer[1] + step[1] * by];
    else { begin(); stamp(pointer, pointer); end(); }
    brush();
  });
  // What lies below has gestures of its own.
  for (const kind of ["click", "dblclick", "pointerdown", "mousedown", "touchstart", "wheel"]) {
    layer.addEventListener(kind, (event) => event.stopPropagation(), { passive: true });
  }

  // Opening and closing. What is below may be drawn anew at any time: the layer moves along.
  const picture = () => stage()?.querySelector(":scope img:not(.region-layer img)");
  function settle() {
    const ground = now && stage(), image = ground && picture();
    if (!image) return;
    if (layer.parentElement !== ground) {
      document.querySelectorAll(".region-on").forEach((old) => old.classList.remove("region-on"));
      ground.append(layer);
      fit();
    }
    if (!ground.classList.contains("region-on")) ground.classList.add("region-on");
    const source = image.currentSrc || image.src;
    if (source && photo.src !== source) photo.src = source;
  }
  const sized = new ResizeObserver(fit);
  function show(find) {
    stage = find;
    if (!picture()) { now = null; return false; }
    erasing = false;
    pointer = null;
    down.clear();
    size.value = sizeOf(Math.max(3, Math.max(now.width, now.height) / 60));
    layer.hidden = panel.hidden = false;
    settle();
    tools();
    fit();
    sized.observe(layer);
    watch = window.dom.observe(document.body, settle, 50);
    layer.scrollIntoView({ block: "nearest", behavior: "smooth" });
    canvas.focus({ preventScroll: true });
    return true;
  }
  function close() {
    if (!now) return;
    if (now.touched) end();
    now = null;
    watch?.disconnect();
    sized.disconnect();
    layer.hidden = panel.hidden = true;
    layer.parentElement?.classList.remove("region-on");
    panel.after(layer);
    layer.dispatchEvent(new Event("close"));
  }
  return {
    isOpen: () => !!now,
    subject: () => now?.subject ?? "",
    has: (subject) => drawings.has(subject),
    // Draw over the picture in what `find` returns; false when there is none.
    open(subject, find, start) {
      close();
      if (!drawings.has(subject)) {
        if (!start) return false;
        const [width, height] = [Number(start.width), Number(start.height)];
        const pixels = new Uint8Array(width * height), before = new Uint8Array(width * height);
        window.regionMask.read(start.counts, pixels);
        drawings.set(subject, { subject, width, height, pixels, before, past: [], future: [], touched: null });
        if (drawings.size > KEPT.drawings) drawings.delete(drawings.keys().next().value);
      }
      now = drawings.get(subject);
      return show(find);
    },
    close,
    forget(subject) {
      if (now?.subject === subject) close();
      drawings.delete(subject);
    },
    // As it is this very moment, a stroke under way included.
    drawn: () => ({ width: now.width, height: now.height, counts: window.regionMask.written(now.pixels) }),
    // True when the key was one of the drawing's.
    key(event) {
      const undo = (event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === "z";
      if (undo) return act(event.shiftKey ? "redo" : "undo");
      if (event.ctrlKey || event.metaKey || event.altKey) return false;
      return act(keys[event.key]);
    },
  };
};
