// What the moved limits would change, in the bar at the foot of the page and in the table of rules.

class Effect {
  constructor(selection, onReset) {
    Object.assign(this, { selection, onReset });
    this.bar = find("#effect");
    const part = sample.isPart
      ? `Counts are estimates from an even sample of ${grouped(sample.numClips)} of ${grouped(data.num_clips)} clips, each standing for ${number(sample.weight, 3)}.`
      : "";
    const stale = selection.numStale();
    const old = stale ? `The selection on record differs from these rules for ${this.told(stale)} clips; the next run makes it anew.` : "";
    const opaque = data.rules.filter((rule) => !rule.tree).map((rule) => rule.name);
    const fixed = opaque.length ? `Rules that the page cannot move: ${opaque.join(", ")}.` : "";
    fill(find("#basis"), [part, old, fixed].filter(Boolean).join(" "));
    this.show();
  }

  told(count) { return (sample.isPart ? "about " : "") + grouped(count * sample.weight); }

  show() {
    const now = this.selection.count(), before = this.selection.before;
    for (const row of findAll("tr[data-rule]")) {
      const k = Number(row.dataset.rule), change = (now.byRule[k] - before.byRule[k]) * sample.weight;
      fill(find(".now", row), grouped(before.byRule[k] * sample.weight));
      fill(find(".then", row), this.selection.isChanged ? grouped(now.byRule[k] * sample.weight) : "");
      fill(find(".change", row), this.selection.isChanged && Math.round(change) ? signed(change) : "");
      const rule = this.selection.rules[k], code = find(".predicate", row), text = this.selection.text(rule);
      fill(code, text);
      code.classList.toggle("moved", text !== rule.predicate);
    }
    this.bar.hidden = !this.selection.isChanged;
    if (this.selection.isChanged) this.drawBar(now, before);
  }

  drawBar(now, before) {
    const { weight, numClips } = sample;
    const change = (now.kept - before.kept) * weight, seconds = (now.keptSeconds - before.keptSeconds) * weight;
    const moved = this.selection.rules.filter((rule) => rule.isTried || this.selection.text(rule) !== rule.predicate);
    const reset = make("button", { type: "button", id: "reset" }, "Reset");
    reset.addEventListener("click", () => { this.selection.reset(); this.onReset(); });
    fill(
      this.bar,
      make("div", { class: "sum" },
        make("span", { class: "soft" }, "kept "),
        make("b", { id: "kept-before" }, this.told(before.kept)), " → ", make("b", { id: "kept-after" }, this.told(now.kept)),
        make("span", { class: "soft" }, ` of ${grouped(numClips * weight)} clips `),
        make("b", { id: "kept-change", class: change < 0 ? "less" : "more" }, signed(change))),
      make("div", { class: "sum" },
        make("span", { class: "soft" }, "footage "), hours(before.keptSeconds * weight), " → ", hours(now.keptSeconds * weight),
        " ", make("b", { class: seconds < 0 ? "less" : "more" }, (seconds < 0 ? "−" : "+") + hours(Math.abs(seconds)))),
      make("ul", {}, moved.map((rule) => make("li", {}, make("code", {}, this.selection.text(rule))))),
      reset);
  }
}
