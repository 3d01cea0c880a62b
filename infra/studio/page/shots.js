// Several shots, one after the other: a row for each, in an order that keys and buttons change.

class Shots {
  constructor(onChange) {
    Object.assign(this, { onChange, list: find("#shots"), adder: find("#add-shot"), rows: new Map() });
    this.adder.addEventListener("click", () => this.begin(this.add()));
    this.list.addEventListener("input", () => this.count());
    this.refill([{}, {}]);
  }

  /** Rows in their order. */
  get ordered() { return [...this.list.children].map((row) => this.rows.get(row)); }

  get wordings() { return this.ordered.map(({ wording }) => wording); }

  /** A row at the end; its element. */
  add({ prompt = "", seconds = about.seconds, cut = false, as_written = null } = {}) {
    const input = make("textarea", { rows: "2", spellcheck: "true", placeholder: "What this shot shows" });
    const note = make("p", { class: "note written", role: "status" });
    const parts = {
      wording: new Wording(input, note, () => this.onChange(), "; the subject is not put before it again"),
      seconds: make("input", { class: "short", inputmode: "decimal", value: seconds }),
      cut: make("input", { type: "checkbox", checked: Boolean(cut) }),
    };
    const row = make("li", { class: "shot" });
    parts.tools = { up: this.tool("↑", () => this.move(row, -1)), down: this.tool("↓", () => this.move(row, 1)), remove: this.tool("✕", () => this.remove(row)) };
    parts.cutLabel = make("label", { class: "check" }, parts.cut, " cut ", make("small", {}, "begins anew"));
    parts.places = { prompt: make("div", {}, input, note), seconds: make("div", { class: "part" }, parts.seconds, " s") };
    append(row, [parts.places.prompt, make("div", { class: "row" }, parts.places.seconds, parts.cutLabel, make("span", { class: "tools" }, Object.values(parts.tools)))]);
    row.addEventListener("keydown", (event) => {
      const by = { ArrowUp: -1, ArrowDown: 1 }[event.key];
      if (!by || !event.altKey) return;
      event.preventDefault();
      this.move(row, by);
    });
    this.rows.set(row, parts);
    this.list.append(row);
    parts.wording.set(prompt, as_written);
    this.renumber();
    return row;
  }

  tool(sign, act) {
    const button = make("button", { type: "button", class: "small" }, sign);
    button.addEventListener("click", act);
    return button;
  }

  /** The row's neighbour goes to its other side, so that what has the focus keeps it. */
  move(row, by) {
    const other = by < 0 ? row.previousElementSibling : row.nextElementSibling;
    if (!other) return;
    if (by < 0) row.after(other);
    else row.before(other);
    const { up, down } = this.rows.get(row).tools, used = document.activeElement;
    this.renumber();
    if (used === up && up.disabled) down.focus();
    if (used === down && down.disabled) up.focus();
    row.scrollIntoView({ block: "nearest" });
  }

  remove(row) {
    const next = row.nextElementSibling ?? row.previousElementSibling;
    if (!next) return;
    this.rows.delete(row);
    row.remove();
    this.renumber();
    this.begin(next);
  }

  begin(row) { this.rows.get(row).wording.input.focus(); }

  renumber() {
    const { length } = this.ordered;
    this.ordered.forEach((row, k) => {
      const shot = `Shot ${k + 1}`, { up, down, remove } = row.tools;
      for (const [name, place] of Object.entries(row.places)) place.dataset.field = `shots.${k}.${name}`;
      for (const [element, label] of [[row.wording.input, `${shot}: prompt`], [row.seconds, `${shot}: seconds`], [row.cut, `${shot}: cut, begins anew`], [up, `Move shot ${k + 1} up`], [down, `Move shot ${k + 1} down`], [remove, `Remove shot ${k + 1}`]]) element.setAttribute("aria-label", label);
      [up.disabled, down.disabled, remove.disabled] = [k === 0, k === length - 1, length === 1];
    });
    this.adder.disabled = length >= about.max_shots;
    this.count();
    this.onChange();
  }

  count() {
    const length = this.ordered.reduce((sum, { seconds }) => sum + (Number(decimal(seconds.value)) || 0), 0);
    find("#shots-length").textContent = length ? `together ${hours(length)}` : "";
  }

  /** What comes first can only be cut from a video that it goes on from. */
  show(hasReference) {
    this.ordered.forEach(({ cutLabel }, k) => { cutLabel.hidden = k === 0 && !hasReference; });
  }

  /** As the server reads them. */
  values() {
    return this.ordered.map(({ wording, seconds, cut, cutLabel }) => ({ ...wording.values(), seconds: decimal(seconds.value), cut: cut.checked && !cutLabel.hidden }));
  }

  refill(shots) {
    this.list.replaceChildren();
    this.rows.clear();
    for (const shot of shots.length ? shots.slice(0, about.max_shots) : [{}]) this.add(shot ?? {});
  }
}
