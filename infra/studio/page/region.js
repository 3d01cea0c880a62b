// The part of a clip that is made anew: a rectangle on its first picture, and from when to when.

class Region {
  constructor(box) {
    this.size = null;
    this.svg = makeSvg("svg", { tabindex: "0", role: "group", "aria-label": "The part: arrow keys move it, with Shift they change its size" });
    this.shade = makeSvg("path", { class: "shade", "fill-rule": "evenodd" });
    this.frame = makeSvg("rect", { class: "frame" });
    this.svg.append(this.shade, this.frame);
    this.picture = make("img", { alt: "First picture" });
    this.stage = make("div", { class: "stage", hidden: true }, this.picture, this.svg);
    const input = (name, label) => make("input", { id: `region-${name}`, class: "short", inputmode: "decimal", "aria-label": label });
    this.inputs = {
      x: input("x", "Left edge in pixels"), y: input("y", "Upper edge in pixels"),
      width: input("width", "Width in pixels"), height: input("height", "Height in pixels"),
      start: input("start", "From second"), end: input("end", "To second"),
    };
    const { x, y, width, height, start, end } = this.inputs;
    fill(box, this.stage,
      make("div", { class: "row" }, "at", x, ",", y, "size", width, "×", height),
      make("div", { class: "row times" }, "from", start, "to", end, "s", make("small", {}, "all of it where empty")));
    for (const field of [x, y, width, height]) field.addEventListener("input", () => this.draw());
    this.svg.addEventListener("pointerdown", (event) => this.grab(event));
    this.svg.addEventListener("keydown", (event) => this.nudge(event));
  }

  /** Show a reference at the size that is made, placed as the sampler places it. */
  show(reference, size) {
    const is = Boolean(reference && size);
    this.stage.hidden = !is;
    find(".times", this.stage.parentElement).hidden = !is || reference.is_image;
    if (!is) return;
    const [width, height] = (this.size = size);
    this.stage.style.aspectRatio = `${width} / ${height}`;
    this.stage.style.maxWidth = `min(100%, ${Math.round((380 * width) / height)}px)`;
    this.picture.style.objectFit = about.fit === "crop" ? "cover" : "contain";
    if (this.picture.getAttribute("src") !== `${reference.id}.jpg`) this.picture.src = `${reference.id}.jpg`;
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.draw();
  }

  rect() {
    const [x, y, width, height] = ["x", "y", "width", "height"].map((name) => Number.parseInt(this.inputs[name].value, 10) || 0);
    return { x, y, width, height };
  }

  set(rect) {
    const [most, high] = this.size;
    const x = Math.min(Math.max(Math.round(rect.x), 0), most - 1), y = Math.min(Math.max(Math.round(rect.y), 0), high - 1);
    const values = { x, y, width: Math.min(Math.max(Math.round(rect.width), 1), most - x), height: Math.min(Math.max(Math.round(rect.height), 1), high - y) };
    for (const [name, value] of Object.entries(values)) this.inputs[name].value = value;
    this.draw();
  }

  draw() {
    if (!this.size) return;
    const { x, y, width, height } = this.rect();
    for (const [name, value] of Object.entries({ x, y, width, height })) this.frame.setAttribute(name, value);
    const whole = `M0 0h${this.size[0]}v${this.size[1]}h${-this.size[0]}z`;
    this.shade.setAttribute("d", width && height ? `${whole}M${x} ${y}h${width}v${height}h${-width}z` : "");
  }

  point(event) {
    const box = this.svg.getBoundingClientRect();
    return [((event.clientX - box.left) / box.width) * this.size[0], ((event.clientY - box.top) / box.height) * this.size[1]];
  }

  grab(event) {
    event.preventDefault();
    this.svg.focus({ preventScroll: true });
    this.svg.setPointerCapture(event.pointerId);
    const [fromX, fromY] = this.point(event);
    const move = (moved) => {
      const [x, y] = this.point(moved);
      const [left, upper] = [Math.max(Math.min(x, fromX), 0), Math.max(Math.min(y, fromY), 0)];
      this.set({ x: left, y: upper, width: Math.max(x, fromX) - left, height: Math.max(y, fromY) - upper });
    };
    const end = () => {
      for (const [kind, listener] of [["pointermove", move], ["pointerup", end], ["pointercancel", end]]) this.svg.removeEventListener(kind, listener);
    };
    this.svg.addEventListener("pointermove", move);
    this.svg.addEventListener("pointerup", end);
    this.svg.addEventListener("pointercancel", end);
  }

  nudge(event) {
    const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!by || !this.size) return;
    event.preventDefault();
    const step = Math.max(1, Math.round(this.size[0] / 64)), rect = this.rect();
    const [across, down] = event.shiftKey ? ["width", "height"] : ["x", "y"];
    if (!rect.width) Object.assign(rect, { x: Math.round(this.size[0] / 4), y: Math.round(this.size[1] / 4), width: Math.round(this.size[0] / 2), height: Math.round(this.size[1] / 2) });
    rect[across] += by[0] * step;
    rect[down] += by[1] * step;
    this.set(rect);
  }

  /** As the command line writes it; null where nothing is drawn. */
  text() {
    const { x, y, width, height, start, end } = Object.fromEntries(Object.entries(this.inputs).map(([name, input]) => [name, input.value.trim()]));
    if (![x, y, width, height].some(Boolean)) return null;
    const times = start || end ? `@${start || 0}-${end || about.max_seconds}` : "";
    return `${x || 0},${y || 0},${width}x${height}${times}`;
  }

  refill(text) {
    const found = /^(\d+),(\d+),(\d+)x(\d+)(?:@([\d.]+)-([\d.]+))?$/.exec(text ?? "") ?? [];
    ["x", "y", "width", "height", "start", "end"].forEach((name, k) => { this.inputs[name].value = found[k + 1] ?? ""; });
    this.draw();
  }
}
