// A mask drawn by hand: pixels of 0 and 1 at the picture's own size, column by column, as run
// lengths are counted. In the page's head, without anything of the page.
window.regionMask = {
  // Set what a round brush covers on its way from one point to another. `mask` is { width, height,
  // pixels }; returns the box of what was touched, x1 and y1 included; x1 is -1 for nothing.
  stroke({ width, height, pixels }, [x0, y0], [x1, y1], radius, value) {
    const box = { x0: Infinity, y0: Infinity, x1: -1, y1: -1 };
    const dx = x1 - x0, dy = y1 - y0, length = Math.hypot(dx, dy);
    const [nx, ny] = length ? [(-dy / length) * radius, (dx / length) * radius] : [0, 0];
    const corners = [[x0 + nx, y0 + ny], [x1 + nx, y1 + ny], [x1 - nx, y1 - ny], [x0 - nx, y0 - ny]];
    const first = Math.max(0, Math.floor(Math.min(x0, x1) - radius));
    const last = Math.min(width - 1, Math.ceil(Math.max(x0, x1) + radius));
    for (let x = first; x <= last; x++) {
      // Two discs and the rectangle between them are convex: one run of pixels in each column.
      let low = Infinity, high = -Infinity;
      for (const [cx, cy] of [[x0, y0], [x1, y1]]) {
        const half = radius * radius - (x + 0.5 - cx) ** 2;
        if (half < 0) continue;
        low = Math.min(low, cy - Math.sqrt(half));
        high = Math.max(high, cy + Math.sqrt(half));
      }
      for (let i = 0; length && i < 4; i++) {
        const [ax, ay] = corners[i], [bx, by] = corners[(i + 1) % 4];
        const share = (x + 0.5 - ax) / (bx - ax);
        if (!(share >= 0 && share <= 1)) continue;
        low = Math.min(low, ay + share * (by - ay));
        high = Math.max(high, ay + share * (by - ay));
      }
      const from = Math.max(0, Math.ceil(low - 0.5)), to = Math.min(height - 1, Math.floor(high - 0.5));
      if (from > to) continue;
      pixels.fill(value, x * height + from, x * height + to + 1);
      box.x0 = Math.min(box.x0, x); box.x1 = x;
      box.y0 = Math.min(box.y0, from); box.y1 = Math.max(box.y1, to);
    }
    return box;
  },

  // COCO's compressed letters, background first, as adaclip/annotations/masks.py writes them.
  read(counts, pixels) {
    const runs = [];
    for (let at = 0, place = 0; at < counts.length; place++) {
      let value = 0, shift = 0, digit;
      do {
        digit = counts.charCodeAt(at++) - 48;
        value |= (digit & 31) << shift;
        shift += 5;
      } while (digit & 32);
      if (digit & 16 && shift < 32) value |= -1 << shift;
      runs.push(place > 2 ? value + runs[place - 2] : value);
    }
    runs.reduce((from, run, place) => {
      if (place % 2) pixels.fill(1, from, from + run);
      return from + run;
    }, 0);
  },

  written(pixels) {
    const runs = [];
    for (let at = 0, value = 0; at < pixels.length; value = 1 - value) {
      const next = pixels.indexOf(1 - value, at);
      runs.push((next < 0 ? pixels.length : next) - at);
      at = next < 0 ? pixels.length : next;
    }
    const letters = [];
    runs.forEach((run, place) => {
      let value = place > 2 ? run - runs[place - 2] : run, more = true;
      while (more) {
        const low = value & 31;
        value >>= 5;
        more = value !== (low & 16 ? -1 : 0);
        letters.push(48 + (more ? low | 32 : low));
      }
    });
    let text = "";
    for (let at = 0; at < letters.length; at += 8192) {
      text += String.fromCharCode(...letters.slice(at, at + 8192));
    }
    return text;
  },
};
