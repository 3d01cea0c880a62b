// Marking clips good or bad with keys, one clip at a time.

class Review {
  constructor() {
    this.dialog = find("#review");
    this.queue = [];
    this.at = 0;
    this.undone = [];
    this.labels = {};
    find("#open-review").addEventListener("click", () => this.open());
    this.dialog.addEventListener("keydown", (event) => this.key(event));
    this.dialog.addEventListener("close", () => clearInterval(this.timer));
  }

  async open() {
    this.build();
    this.dialog.showModal();
    this.body.focus();
    this.show(await get("api/labels"));
    this.timer = setInterval(() => this.refresh(), 2000);
    await this.load();
  }

  async refresh() { try { this.show(await get("api/labels")); } catch (error) { this.say(error.message); } }

  build() {
    const option = (value, text) => make("option", { value }, text);
    this.choice = make("select", { "aria-label": "Which clips" },
      option("all", "All clips, drawn evenly"), option("kept", "Kept, drawn evenly"), option("dropped", "Dropped, drawn evenly"),
      sample.reasons.slice(0, 60).map((reason) => option("reason:" + reason, "Dropped: " + cut(reason, 60))),
      data.rules.flatMap((rule, k) => rule.limits.length ? [option("border:" + k, "Border of " + cut(rule.name, 60))] : []));
    this.choice.addEventListener("change", () => { this.body.focus(); this.load(); });
    this.note = make("input", { type: "text", id: "note", maxlength: 500, placeholder: "Note (n)", "aria-label": "Note" });
    this.state = make("p", { id: "saving", class: "soft", role: "status" });
    this.place = make("span", { class: "soft" });
    // Keys go here first: a list that has the focus would take letters for itself.
    this.body = make("div", { class: "review-body", tabindex: -1, autofocus: true });
    this.table = make("div", { class: "judged" });
    const button = (id, text, act) => { const made = make("button", { type: "button", id }, text); made.addEventListener("click", act); return made; };
    this.good = button("mark-good", "Good (g)", () => this.mark(true));
    this.bad = button("mark-bad", "Bad (b)", () => this.mark(false));
    fill(this.dialog,
      make("div", { class: "review-head" }, this.choice, this.place, make("span", { class: "grow" }), make("span", { class: "soft" }, "as ", make("b", {}, data.live.reviewer)), button("close-review", "Close", () => this.dialog.close())),
      this.body,
      make("div", { class: "review-foot" }, button("previous", "←", () => this.step(-1)), this.good, this.bad, button("undo", "Undo (u)", () => this.undo()), button("next", "→", () => this.step(1)), this.note, this.state),
      this.table);
  }

  async load() {
    const found = await get(`api/queue?of=${encodeURIComponent(this.choice.value)}`);
    this.queue = found.clip_ids;
    this.at = Math.max(this.queue.findIndex((clipId) => !(clipId in this.labels)), 0);
    await this.draw();
  }

  key(event) {
    if (event.target === this.note) {
      if (event.key === "Enter") { event.preventDefault(); this.keepNote(); this.body.focus(); }
      return;
    }
    if (event.target === this.choice || event.ctrlKey || event.metaKey || event.altKey) return;
    const act = {
      g: () => this.mark(true), b: () => this.mark(false), u: () => this.undo(), n: () => this.note.focus(),
      ArrowLeft: () => this.step(-1), ArrowRight: () => this.step(1),
    }[event.key];
    if (act) { event.preventDefault(); act(); }
  }

  get clipId() { return this.queue[this.at]; }

  step(by) { this.at = Math.min(Math.max(this.at + by, 0), Math.max(this.queue.length - 1, 0)); return this.draw(); }

  async mark(good) {
    const clipId = this.clipId;
    if (!clipId) return;
    this.undone.push({ clipId, label: this.labels[clipId] ?? null, at: this.at });
    await this.send(clipId, { good, note: this.note.value || null });
    await this.step(1);
  }

  async undo() {
    const last = this.undone.pop();
    if (!last) return;
    this.at = last.at;
    await this.send(last.clipId, last.label ?? { good: null, note: null });
    await this.draw();
  }

  keepNote() {
    const label = this.labels[this.clipId];
    if (label) this.send(this.clipId, { good: label.good, note: this.note.value || null });
  }

  async send(clipId, label) {
    try { this.show(await post("api/labels", { clip_id: clipId, ...label })); } catch (error) { this.say(error.message); }
  }

  say(text) { fill(this.state, text); }

  show(said) {
    this.labels = said.labels;
    this.say(said.message);
    this.paint();
    const share = (part) => part === null ? "–" : (100 * part).toFixed(1) + " %";
    fill(this.table, said.judgements.length ? make("table", {},
      make("thead", {}, make("tr", {}, ["reason", "bad dropped", "good dropped", "precision", "recall"].map((text, k) => make("th", { class: k ? "n" : false }, text)))),
      make("tbody", {}, said.judgements.map((row) => make("tr", {}, make("th", { scope: "row" }, row.rule || "all reasons"),
        [row.num_bad_dropped, row.num_good_dropped, share(row.precision), share(row.recall)].map((value) => make("td", { class: "n" }, value)))))) : null);
  }

  paint() {
    const label = this.labels[this.clipId];
    this.good.classList.toggle("on", label?.good === true);
    this.bad.classList.toggle("on", label?.good === false);
  }

  async draw() {
    const clipId = this.clipId;
    fill(this.place, this.queue.length ? `${grouped(this.at + 1)} of ${grouped(this.queue.length)} · ${grouped(Object.keys(this.labels).length)} labelled` : "nothing here");
    this.note.value = this.labels[clipId]?.note ?? "";
    this.paint();
    if (!clipId) return fill(this.body);
    const story = await loadStory(clipId);
    if (clipId === this.clipId) fill(this.body, story ? storyBody(story) : make("p", { class: "none" }, "This clip is no longer there."));
    this.body.dataset.shown = clipId;
    this.body.scrollTop = 0;
  }
}
