// Results of any forms, side by side and in step.

const MOST_COMPARED = 6;

class Compare {
  constructor() {
    this.chosen = new Map();
    this.tray = find("#tray");
    this.dialog = find("#compare");
    this.dialog.addEventListener("close", () => fill(this.dialog));
  }

  /** A button that takes a result into the comparison, or out of it. */
  toggle(entry) {
    const button = act("Compare", () => {
      if (this.chosen.has(entry.id)) this.chosen.delete(entry.id);
      else if (this.chosen.size < MOST_COMPARED) this.chosen.set(entry.id, { entry, button });
      this.show();
    });
    button.setAttribute("aria-pressed", "false");
    return button;
  }

  show() {
    for (const button of findAll(".acts [aria-pressed]")) button.setAttribute("aria-pressed", "false");
    for (const { button } of this.chosen.values()) button.setAttribute("aria-pressed", "true");
    const num = this.chosen.size;
    this.tray.hidden = num === 0;
    if (!num) return;
    const open = act("Side by side", () => this.open());
    open.disabled = num < 2;
    open.className = "chief";
    fill(this.tray, make("span", {}, num === 1 ? "1 chosen; choose another" : `${num} chosen`), open, act("Clear", () => { this.chosen.clear(); this.show(); }));
  }

  open() {
    const shown = [...this.chosen.values()].map(({ entry }) => ({ entry, media: makeMedia(entry) }));
    const videos = shown.map(({ media }) => media).filter((media) => media instanceof HTMLVideoElement);
    const again = () => { for (const video of videos) { video.controls = true; video.currentTime = 0; video.play(); } };
    const pause = () => { for (const video of videos) video.pause(); };
    fill(this.dialog, make("div", { class: "head" }, make("h3", {}, "Side by side"), videos.length ? [act("Play from the start", again), act("Pause", pause)] : null, act("Close", () => this.dialog.close())),
      make("div", { class: "beside" }, shown.map(({ entry, media }) => make("figure", {}, media, make("figcaption", {}, make("span", {}, cut(titleOf(entry), 200)), make("span", { class: "seed" }, seedText(entry)))))));
    this.dialog.showModal();
    again();
  }
}
