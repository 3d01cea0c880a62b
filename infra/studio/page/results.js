// What was made, the newest first; results of one form stand side by side.

class Results {
  constructor(form, compare) {
    Object.assign(this, { form, compare, sets: new Map(), cards: new Map() });
    this.box = find("#sets");
    find("#older").addEventListener("click", () => this.older());
  }

  /** The newest ones; what is there already stays as it is, so that a video that plays goes on. */
  async refresh() {
    const found = await get("api/history");
    for (const entry of found.entries) this.add(entry);
    if (this.oldest === undefined) this.more(found);
    find("#empty").hidden = this.cards.size > 0;
  }

  async older() {
    const found = await get(`api/history?before=${encodeURIComponent(this.oldest)}`);
    for (const entry of found.entries) this.add(entry);
    this.more(found);
  }

  more(found) {
    if (found.entries.length) this.oldest = found.entries.at(-1).set_id;
    find("#older").hidden = !found.has_more;
  }

  add(entry) {
    if (this.cards.has(entry.id)) return;
    const card = this.card(entry);
    this.cards.set(entry.id, card);
    const row = find(".cards", this.set(entry));
    const after = findAll("figure", row).find((other) => Number(other.dataset.number) > entry.number);
    row.insertBefore(card, after ?? null);
  }

  /** Where the results of a form stand; newer forms above. */
  set(entry) {
    if (!this.sets.has(entry.set_id)) {
      const again = make("button", { type: "button", class: "small again" }, "Fill in again");
      again.addEventListener("click", () => this.form.refill(entry.form));
      const element = make("article", { class: "set", "data-set": entry.set_id },
        make("div", { class: "head" }, make("h3", {}, cut(titleOf(entry) || entry.form.prompt, 400)), again),
        make("p", { class: "note" }, [MODES[entry.form.mode][0], shotsOf(entry.record).length ? `${shotsOf(entry.record).length} shots` : null, entry.form.direction && entry.form.mode === "extend" ? entry.form.direction : null, when(entry.set_id)].filter(Boolean).join(" · ")),
        make("div", { class: "cards" }));
      const older = findAll(".set", this.box).find((other) => other.dataset.set < entry.set_id);
      this.box.insertBefore(element, older ?? null);
      this.sets.set(entry.set_id, element);
    }
    return this.sets.get(entry.set_id);
  }

  card(entry) {
    const { record } = entry, isImage = entry.suffix === ".png";
    const length = isImage ? "" : ` · ${hours((record.num_frames * record.frame_rate[1]) / record.frame_rate[0])}`;
    const drafts = Array.from({ length: entry.num_drafts }, (_, k) => make("a", { href: `made/${entry.id}/draft/${k + 1}?download` }, entry.num_drafts > 1 ? `Draft ${k + 1}` : "Draft"));
    return make("figure", { class: "result", "data-id": entry.id, "data-number": entry.number },
      makePlayer(entry),
      make("figcaption", {}, make("span", { class: "facts" }, `${record.width}×${record.height}${length}`), make("span", { class: "seed" }, seedText(entry)),
        entry.notes.map((note) => make("span", { class: "note" }, note))),
      make("div", { class: "acts" },
        make("a", { href: `made/${entry.id}?download` }, "Download"),
        act("Use as reference", () => this.form.use(`made/${entry.id}`, isImage, titleOf(entry))),
        act("Vary", () => this.vary(entry)),
        this.compare.toggle(entry),
        act("Record", () => showRecord(entry)), drafts));
  }

  /** The same seed, a little aside. */
  vary(entry) {
    const { seed, variationSeed } = seedsOf(entry);
    const values = { seed, results: 4, variation: entry.form.variation ?? 0.3, variation_seed: variationSeed === null ? "1" : String(BigInt(variationSeed) + 1n) };
    this.form.refill({ ...entry.form, ...values });
  }
}

/** The seeds of one of the results of a form, as text: they may be larger than the numbers of JavaScript. */
function seedsOf(entry) {
  const { seed, variation, variation_seed: first } = entry.form, more = BigInt(entry.number);
  if (variation === null || variation === undefined) return { seed: String(BigInt(seed ?? 0) + more), variationSeed: null };
  return { seed: String(seed), variationSeed: String(BigInt(first) + more) };
}

/** What it was made from: a prompt, or those of its shots where they have no subject. */
function titleOf({ record }) {
  return record.prompt || shotsOf(record).map((shot) => shot?.prompt ?? "").join(" / ");
}

const shotsOf = ({ shots }) => (Array.isArray(shots) ? shots : []);

function seedText(entry) {
  const { seed, variationSeed } = seedsOf(entry);
  return variationSeed === null ? `seed ${seed}` : `seed ${seed}, varied by ${entry.form.variation} (${variationSeed})`;
}

function act(name, listener) {
  const button = make("button", { type: "button" }, name);
  button.addEventListener("click", listener);
  return button;
}

/** A result to be looked at. */
function makeMedia(entry) {
  const source = `made/${entry.id}`, what = cut(titleOf(entry), 120);
  if (entry.suffix === ".png") return make("img", { src: source, alt: what, loading: "lazy" });
  const video = make("video", { src: source, poster: `${source}.jpg`, loop: true, playsinline: true, preload: "none", "aria-label": what });
  video.muted = true;
  return video;
}

/** The same, and a video plays when it is pressed: a player's own controls would hide a small one. */
function makePlayer(entry) {
  const media = makeMedia(entry);
  if (!(media instanceof HTMLVideoElement)) return media;
  const button = make("button", { type: "button", class: "player", "aria-label": "Play" }, media, make("span", { class: "badge", "aria-hidden": "true" }, "▶"));
  button.addEventListener("click", () => (media.paused ? media.play() : media.pause()));
  for (const kind of ["play", "pause"]) media.addEventListener(kind, () => {
    button.classList.toggle("on", !media.paused);
    button.setAttribute("aria-label", media.paused ? "Play" : "Pause");
  });
  return button;
}

/** When something was asked for, in the reader's own time. */
function when(id) {
  const [, year, month, day, hour, minute, second] = /^(\d{4})(\d\d)(\d\d)-(\d\d)(\d\d)(\d\d)/.exec(id).map(Number);
  return new Date(Date.UTC(year, month - 1, day, hour, minute, second)).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" });
}

function showRecord(entry) {
  const dialog = find("#details");
  const { seed, variationSeed } = seedsOf(entry);
  const record = { ...entry.record, seed, ...(variationSeed === null ? {} : { variation_seed: variationSeed }) };
  const rows = Object.entries(record).map(([name, value]) => make("tr", {}, make("th", { scope: "row" }, name), make("td", {}, cut(typeof value === "object" ? JSON.stringify(value) : String(value), 2000))));
  fill(dialog, make("div", { class: "head" }, make("h3", {}, "What the file says of itself"), act("Close", () => dialog.close())),
    make("table", {}, make("tbody", {}, rows)), make("p", { class: "note" }, make("a", { href: `made/${entry.id}/record?download` }, "Download the record")));
  dialog.showModal();
}
