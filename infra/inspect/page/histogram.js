// Limits on the histograms: drawn where the rules have them, moved by pointer or keys.

const SIGNS = { ">=": "≥", ">": ">", "<=": "≤", "<": "<" };

class LimitHandle {
  constructor(svg, axis, rule, index, onMove) {
    Object.assign(this, { svg, axis, rule, index, onMove });
    this.limit = rule.limits[index];
    this.keepsAbove = this.limit.op.startsWith(">");
    this.group = makeSvg("g", { class: rule.isTried ? "limit tried" : "limit", tabindex: 0, role: "slider" });
    this.group.setAttribute("aria-label", visible(`${rule.name}: ${this.limit.column} ${this.limit.op}`));
    this.cut = makeSvg("rect", { class: "cut", y: axis.top + 12, height: axis.base - axis.top - 12 });
    this.ghost = makeSvg("line", { class: "ghost", y1: axis.top + 12, y2: axis.base });
    this.line = makeSvg("line", { class: "rule", y1: axis.top + 12, y2: axis.base });
    this.grip = makeSvg("path", { class: "grip", d: "M-5 0h10v7l-5 5l-5-5z" });
    this.hit = makeSvg("rect", { class: "hit", y: axis.top, width: 18, height: axis.base - axis.top });
    this.label = makeSvg("text", { class: "limit-label", y: axis.base - axis.top - 4 });
    this.group.append(this.cut, this.ghost, this.line, this.grip, this.label, this.hit);
    svg.append(this.group);
    this.hit.addEventListener("pointerdown", (event) => this.grab(event));
    this.group.addEventListener("keydown", (event) => this.nudge(event));
    this.draw();
  }

  grab(event) {
    event.preventDefault();
    this.group.focus({ preventScroll: true });
    this.hit.setPointerCapture(event.pointerId);
    const move = (moved) => {
      const box = this.svg.getBoundingClientRect();
      this.set(this.axis.value(((moved.clientX - box.left) / box.width) * this.axis.width));
    };
    const end = () => {
      this.hit.removeEventListener("pointermove", move);
      this.hit.removeEventListener("pointerup", end);
      this.hit.removeEventListener("pointercancel", end);
    };
    this.hit.addEventListener("pointermove", move);
    this.hit.addEventListener("pointerup", end);
    this.hit.addEventListener("pointercancel", end);
  }

  nudge(event) {
    const steps = { ArrowLeft: -1, ArrowRight: 1, PageDown: -10, PageUp: 10 }[event.key];
    if (!steps) return;
    event.preventDefault();
    event.stopPropagation();
    this.set(this.axis.step(this.rule.values[this.index], steps));
  }

  set(value) {
    if (value === this.rule.values[this.index]) return;
    this.onMove(this.rule, this.index, value);
    this.draw();
  }

  draw() {
    const value = this.rule.values[this.index];
    const x = this.axis.place(value), was = this.axis.place(this.limit.value);
    for (const [line, at] of [[this.line, x], [this.ghost, was]]) { line.setAttribute("x1", at); line.setAttribute("x2", at); }
    this.ghost.classList.toggle("apart", !this.rule.isTried && value !== this.limit.value);
    this.cut.setAttribute("x", this.keepsAbove ? 0 : x);
    this.cut.setAttribute("width", Math.max(this.keepsAbove ? x : this.axis.width - x, 0));
    this.grip.setAttribute("transform", `translate(${x} ${this.axis.top + 10})`);
    this.hit.setAttribute("x", x - 9);
    const atRight = x > this.axis.width * 0.7;
    this.label.setAttribute("x", x + (atRight ? -8 : 8));
    this.label.setAttribute("text-anchor", atRight ? "end" : "start");
    this.label.setAttribute("y", this.axis.top + 30 + 12 * (this.index % 3));
    this.label.textContent = `${SIGNS[this.limit.op]} ${number(value)}`;
    this.group.setAttribute("aria-valuenow", value);
    this.group.setAttribute("aria-valuemin", this.axis.low);
    this.group.setAttribute("aria-valuemax", this.axis.high);
  }
}

/** Puts handles on every histogram of a score that can be moved, and buttons to try a new limit. */
class Histograms {
  constructor(selection, onMove) {
    Object.assign(this, { selection, onMove, handles: [] });
    this.places = new Map();
    for (const article of findAll("article.score")) {
      const score = data.scores[Number(article.dataset.score)];
      const svg = find("svg.histogram", article);
      if (!svg || !score.axis || !sample.columns.has(score.name)) continue;
      const axis = new Axis(score.axis);
      this.places.set(score.name, { svg, axis, article, score });
      if (axis.high > axis.low) this.offer(article, score, axis);
    }
    this.show();
  }

  offer(article, score, axis) {
    const ask = (op, rank) => () => {
      const rule = this.selection.add(score.name, op, axis.is_log ? score.quantiles[rank] : axis.rounded(score.quantiles[rank]));
      this.attach(rule);
      this.onMove();
    };
    const below = make("button", { type: "button", class: "try" }, "Try ≥");
    const above = make("button", { type: "button", class: "try" }, "Try ≤");
    below.addEventListener("click", ask(">=", 10));
    above.addEventListener("click", ask("<=", 90));
    find("dl.facts", article).append(make("div", { class: "tries" }, below, above));
  }

  attach(rule) {
    rule.limits.forEach((limit, index) => {
      const place = this.places.get(limit.column);
      if (!place || rule.passes) return;
      const onMove = (...moved) => { this.selection.move(...moved); this.onMove(); };
      this.handles.push(new LimitHandle(place.svg, place.axis, rule, index, onMove));
    });
  }

  show() {
    for (const handle of this.handles) handle.group.remove();
    this.handles = [];
    for (const rule of this.selection.rules) this.attach(rule);
  }
}
