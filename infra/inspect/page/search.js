// Finding clips by id and by text: among the stories that the page holds, or among all through the server.

class Search {
  constructor(ask) {
    this.ask = ask;
    this.input = find("#query");
    this.box = find("#results");
    this.input.addEventListener("input", () => {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.run(), data.live ? 250 : 60);
    });
    this.input.addEventListener("keydown", (event) => { if (event.key === "Escape") { this.input.value = ""; this.run(); } });
    document.addEventListener("keydown", (event) => {
      if (event.key === "/" && !event.target.closest?.("input, textarea, dialog")) { event.preventDefault(); this.input.focus(); }
    });
  }

  async run() {
    const query = this.input.value.trim();
    this.box.hidden = !query;
    if (!query) return fill(this.box);
    let found;
    try { found = await this.ask(query); } catch (error) { return fill(this.box, make("p", { class: "none" }, error.message)); }
    if (query !== this.input.value.trim()) return;
    fill(this.box, make("p", { class: "note" }, found.note),
      make("div", { class: "gallery small" }, found.stories.map((story) => makeStrip(story, make("span", { class: "line" }, lineOf(story))))));
  }
}

function lineOf(story) {
  const row = (story.tables.selection ?? [])[0];
  const state = !row ? "" : row.kept ? "kept" : `dropped: ${cut(row.reason ?? "unknown", 120)}`;
  const caption = (story.tables.captions ?? [])[0]?.text;
  return [state, caption ? `“${cut(caption, 140)}”` : ""].filter(Boolean).join(" · ");
}

const FEW = 48;
/** What the stories on the page say of a query. */
function searchPage(query) {
  const wanted = query.toLowerCase();
  const texts = (story) => [
    story.clip.clip_id, story.clip.video_id,
    ...story.files.flatMap((file) => [file.uri, file.title]), story.video.uri,
    ...(story.tables.captions ?? []).map((row) => row.text), ...(story.tables.selection ?? []).map((row) => row.reason),
  ];
  const all = Object.values(data.stories);
  const found = all.filter((story) => texts(story).some((text) => text && String(text).toLowerCase().includes(wanted)));
  const among = all.length < data.num_clips ? `Searched ${grouped(all.length)} of ${grouped(data.num_clips)} clips; --serve searches all. ` : "";
  const few = found.length > FEW ? `The first ${FEW} of them:` : "";
  return { stories: found.slice(0, FEW), note: `${among}${grouped(found.length)} clip${found.length === 1 ? "" : "s"} found. ${few}` };
}
