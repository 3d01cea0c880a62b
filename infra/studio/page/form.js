// The form: which fields a mode has, what they hold, and the sentence next to the one that is wrong.

const MODES = {
  text: ["From text", "A video or a picture from the prompt alone."],
  image: ["From a picture", "A video that begins with the picture."],
  extend: ["Extend", "What comes after a video, or came before it."],
  connect: ["Connect", "A passage from one video to another."],
  loop: ["Loop", "A video without end: from the prompt, or from a video that is closed."],
  shots: ["Several shots", "One video of several shots, each from its own prompt."],
  edit: ["Edit", "The same video or picture under another prompt."],
  inpaint: ["Inpaint", "Another thing in a part of a video or a picture."],
};
const SHAPES = [[16, 9], [4, 3], [1, 1], [3, 4], [9, 16]];
const LENGTHS = { extend: "Added", connect: "Passage" };
let numProblems = 0;

class Form {
  constructor(onMade) {
    this.form = find("#form");
    this.onMade = onMade;
    this.makeModes();
    for (const [across, down] of SHAPES) {
      const [width, height] = shaped(across, down);
      find("#shape").append(make("option", { value: `${width}x${height}` }, `${across}:${down} – ${width}×${height}`));
    }
    const changed = (field) => (slot, problem) => { this.tell(field, problem); this.show(); };
    this.references = { reference: new ReferenceSlot(find("#reference"), "reference", changed("reference")), second: new ReferenceSlot(find("#second"), "second", changed("second")) };
    this.region = new Region(find("#region"));
    this.wording = new Wording(find("#prompt"), find("#prompt-note"), () => this.offer());
    this.shots = new Shots(() => this.offer());
    find("#results").max = about.max_results;
    find("#strength").value = find("#strength-slider").value = about.strength;
    this.listen();
    this.show();
  }

  makeModes() {
    const kinds = Object.entries(MODES).map(([mode, [name]], k) => {
      const input = make("input", { type: "radio", name: "mode", value: mode, id: `mode-${mode}`, checked: k === 0 });
      return make("label", {}, input, make("span", {}, name));
    });
    append(find("#modes"), kinds);
  }

  listen() {
    this.form.addEventListener("submit", (event) => { event.preventDefault(); this.send(); });
    this.form.addEventListener("change", () => this.show());
    this.form.addEventListener("input", (event) => {
      for (let field = event.target; (field = field.closest("[data-field]")); field = field.parentElement) this.tell(field.dataset.field, "");
    });
    this.form.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); this.send(); }
    });
    find("#new-seed").addEventListener("click", () => { find("#seed").value = crypto.getRandomValues(new Uint32Array(1))[0]; });
    find("#strength-slider").addEventListener("input", (event) => { find("#strength").value = event.target.value; });
    find("#strength").addEventListener("input", (event) => { find("#strength-slider").value = event.target.value; });
    find("#shape").addEventListener("change", (event) => {
      if (event.target.value) [find("#width").value, find("#height").value] = event.target.value.split("x");
      event.target.value = "";
    });
    for (const name of ["#width", "#height"]) find(name).addEventListener("input", () => this.show());
    find("#write-out")?.addEventListener("click", () => this.writeOut());
  }

  get mode() { return find("input[name=mode]:checked", this.form).value; }

  /** Whether it makes a video: else there is no length. */
  get isVideo() {
    if (this.mode === "text") return find("input[name=kind]:checked", this.form).value === "video";
    return !["edit", "inpaint"].includes(this.mode) || !this.references.reference.value?.is_image;
  }

  /** Whether it has one length: shots have one each, and what is edited has that of the clip. */
  get hasLength() { return this.isVideo && !["shots", "edit", "inpaint"].includes(this.mode); }

  /** The size that is made; null where nobody knows it yet. */
  size() {
    const typed = ["#width", "#height"].map((name) => Number.parseInt(find(name).value, 10));
    if (typed.every((side) => side > 0)) return typed;
    const given = this.references.reference.value;
    if (!given) return null;
    const even = (side) => (this.isVideo ? side + (side % 2) : side);
    return [even(given.width), even(given.height)];
  }

  show() {
    find("#mode-help").textContent = MODES[this.mode][1];
    for (const field of findAll("[data-shown]", this.form)) field.hidden = !field.dataset.shown.split(" ").includes(this.mode);
    const isShots = this.mode === "shots";
    find("#prompt-label").textContent = isShots ? "Subject" : "Prompt";
    find("#prompt").placeholder = isShots ? "What all shots show; may be empty" : "What is to be seen";
    find("[data-field=seconds]").hidden = !this.hasLength;
    find("#seconds-label").textContent = this.mode === "loop" && this.references.reference.value ? "Passage" : LENGTHS[this.mode] ?? "Length";
    find("#seconds").placeholder = about.seconds;
    find("#reference-label").textContent = this.mode === "image" ? "First picture" : isShots || this.mode === "loop" ? "Video, or none" : this.mode === "connect" ? "Begins with" : "Reference";
    const size = this.references.reference.value && this.mode !== "text" ? this.size() : null;
    const [width, height] = size ?? about.size;
    find("#width").placeholder = width;
    find("#height").placeholder = height;
    find("#variation-row").hidden = !find("#is-variation").checked;
    this.region.show(this.mode === "inpaint" ? this.references.reference.value : null, size);
    this.offer();
  }

  /** What can be done with the prompts as they are now. */
  offer() {
    if (!this.shots) return;
    this.shots.show(Boolean(this.references.reference.value));
    const button = find("#write-out");
    if (!button || button.disabled) return;
    button.textContent = this.mode === "shots" ? "Write out the shots" : "Write out";
    button.hidden = !this.unwritten().length;
  }

  /** The prompts that no model has written out. */
  unwritten() {
    return (this.mode === "shots" ? this.shots.wordings : [this.wording]).filter(({ own }) => own === null);
  }

  /** As the server reads it. */
  values() {
    const text = (name) => find(name).value.trim();
    const is = (...modes) => modes.includes(this.mode);
    const [width, height] = [text("#width"), text("#height")];
    const isVariation = find("#is-variation").checked;
    return {
      mode: this.mode, ...this.wording.values(),
      shots: is("shots") ? this.shots.values() : [],
      kind: find("input[name=kind]:checked", this.form).value,
      size: width || height ? `${width}x${height}` : null,
      seconds: this.hasLength ? decimal(text("#seconds")) : null,
      seed: text("#seed") || "0",
      direction: find("input[name=direction]:checked", this.form).value,
      reference: is("text") ? null : this.references.reference.value?.id ?? null,
      second: is("connect") ? this.references.second.value?.id ?? null : null,
      strength: is("edit") ? decimal(text("#strength")) : null,
      region: is("inpaint") ? this.region.text() : null,
      results: text("#results") || "1",
      variation: isVariation ? decimal(text("#variation")) ?? "" : null,
      variation_seed: isVariation ? text("#variation-seed") || "1" : "1",
      draft: find("#draft").checked && !is("edit", "inpaint"),
    };
  }

  /** Fill in what was asked for before. */
  async refill(values) {
    find(`#mode-${values.mode}`).checked = true;
    this.wording.set(values.prompt, values.as_written ?? null);
    if (values.mode === "shots") this.shots.refill(shotsOf(values));
    for (const name of ["seconds", "seed", "results"]) find(`#${name}`).value = values[name] ?? "";
    const [width, height] = (values.size ?? "x").split("x");
    find("#width").value = width;
    find("#height").value = height;
    for (const name of ["kind", "direction"]) find(`input[name=${name}][value=${values[name]}]`).checked = true;
    find("#strength").value = find("#strength-slider").value = values.strength ?? about.strength;
    find("#is-variation").checked = values.variation !== null;
    find("#variation").value = values.variation ?? 0.3;
    find("#variation-seed").value = values.variation_seed;
    find("#draft").checked = values.draft;
    this.clear();
    await Promise.all([this.references.reference.take(values.reference), this.references.second.take(values.second)]);
    this.region.refill(values.region);
    this.show();
    this.lead();
  }

  /** Go on from a result. */
  async use(id, isImage, title) {
    const mode = this.mode === "text" ? (isImage ? "image" : "extend") : this.mode;
    const place = mode === "connect" && this.references.reference.value ? "second" : "reference";
    find(`#mode-${mode}`).checked = true;
    await this.references[place].take(id, title);
    this.lead();
  }

  lead() {
    this.form.scrollIntoView({ block: "start" });
    find("#prompt").focus({ preventScroll: true });
  }

  /** Have a language model write out what none has yet. */
  async writeOut() {
    const button = find("#write-out"), wordings = this.unwritten(), isShots = this.mode === "shots";
    if (button.disabled || !wordings.length) return;
    const subject = this.wording.value, sent = wordings.map(({ value }) => value);
    this.clear();
    button.disabled = true;
    button.textContent = "Writing…";
    try {
      const { prompts } = await post("api/expansions", { prompt: subject, shots: isShots ? sent : [] });
      const isChanged = (one, k) => one.value !== sent[k] || one.own !== null || (isShots && this.wording.value !== subject);
      wordings.forEach((one, k) => one.take(prompts[k], isChanged(one, k)));
    } catch (error) {
      const [, number] = /^shots\.(\d+)/.exec(error.field) ?? [];
      this.refuse(number ? Object.assign(error, { field: wordings[number].field }) : error);
    } finally {
      button.disabled = false;
      this.offer();
    }
  }

  async send() {
    const button = find("#make");
    if (button.disabled) return;
    this.clear();
    button.disabled = true;
    button.textContent = "Checking…";
    try {
      const said = await post("api/orders", this.values());
      fill(find("#said"), said.notes.map((note) => make("li", {}, note)));
      this.onMade();
    } catch (error) {
      this.refuse(error);
    } finally {
      button.disabled = false;
      button.textContent = "Make";
    }
  }

  refuse(error) {
    const field = find(`[data-field="${CSS.escape(error.field ?? "")}"]`, this.form) ?? find('[data-field=""]', this.form);
    const shown = field.closest("[hidden]") ? find('[data-field=""]', this.form) : field;
    this.tell(shown.dataset.field, shown === field ? error.message.replace(/^shot \d+: /, "") : error.message);
    find("input:not([type=file]), textarea, select", shown)?.focus();
    shown.scrollIntoView({ block: "nearest" });
  }

  /** Put a sentence next to a field, or take it away. */
  tell(name, sentence) {
    const field = find(`[data-field="${CSS.escape(name)}"]`, this.form);
    // Rows of a field are fields of their own.
    const inputs = findAll("input, textarea, select", field).filter((input) => input.closest("[data-field]") === field);
    find(":scope > .problem", field)?.remove();
    for (const input of inputs) { input.removeAttribute("aria-invalid"); input.removeAttribute("aria-describedby"); }
    if (!sentence) return;
    const id = `problem-${++numProblems}`;
    field.append(make("div", { class: "problem", role: "alert", id }, problemOf(sentence)));
    for (const input of inputs) { input.setAttribute("aria-invalid", "true"); input.setAttribute("aria-describedby", id); }
  }

  clear() {
    for (const field of findAll("[data-field]", this.form)) this.tell(field.dataset.field, "");
    fill(find("#said"));
  }
}
