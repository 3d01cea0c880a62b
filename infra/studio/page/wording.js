// A prompt: a person's own words, or what a language model has made of them, which can be changed and taken back.

class Wording {
  /** What `aside` says stands behind what it was written out from. */
  constructor(input, box, onChange, aside = "") {
    Object.assign(this, { input, box, onChange, aside, own: null });
    input.addEventListener("input", () => {
      // Who begins anew does not write it out.
      if (!input.value.trim()) this.own = null;
      this.show();
    });
  }

  get value() { return this.input.value; }

  /** The field that it stands in, as the server names it; none where its row is gone. */
  get field() { return this.input.isConnected ? this.input.closest("[data-field]").dataset.field : ""; }

  /** As the server reads it. */
  values() { return { prompt: this.value, as_written: this.own }; }

  set(prompt, own = null) {
    this.input.value = prompt;
    this.own = own;
    this.show();
  }

  /** Take what became of it, unless the person has gone on writing. */
  take({ prompt, is_longer, why }, isChanged) {
    if (isChanged) this.show("It was changed meanwhile, and stays as it is.");
    else if (is_longer) this.set(prompt, this.value);
    else this.show(`It stays as it is: ${why}.`);
  }

  show(said = "") {
    if (this.own === null) fill(this.box, said);
    else {
      const back = make("button", { type: "button", class: "small" }, "My own words");
      back.addEventListener("click", () => { this.set(this.own); this.input.focus(); });
      fill(this.box, make("span", {}, `Written out from ${this.own.trim() ? `“${cut(this.own, 160)}”` : "the subject"}${this.aside}.`), " ", back);
    }
    this.onChange();
  }
}
