// A place for a picture or a video: uploaded, dropped, or a result of this page.

class ReferenceSlot {
  constructor(box, name, onChange) {
    Object.assign(this, { box, name, onChange, value: null });
    this.input = make("input", { type: "file", id: `${name}-file`, accept: "image/*,video/*", "aria-label": `Upload: ${name}` });
    this.input.addEventListener("change", () => { if (this.input.files[0]) this.upload(this.input.files[0]); });
    box.addEventListener("dragover", (event) => { event.preventDefault(); box.classList.add("over"); });
    box.addEventListener("dragleave", () => box.classList.remove("over"));
    box.addEventListener("drop", (event) => {
      event.preventDefault();
      box.classList.remove("over");
      if (event.dataTransfer.files[0]) this.upload(event.dataTransfer.files[0]);
    });
    this.show();
  }

  async upload(file) {
    if (file.size > about.max_upload_bytes) {
      return this.onChange(this, `a reference has at most ${Math.floor(about.max_upload_bytes / 2 ** 20)} MiB`);
    }
    fill(this.box, make("p", { class: "note", role: "status" }, "Reading it…"));
    try {
      this.set({ ...(await send("api/given", about.token, file, "application/octet-stream")), title: file.name });
    } catch (error) {
      this.set(null, error.message);
    }
  }

  /** Take what an id stands for. */
  async take(id, title = "") {
    if (!id) return this.set(null);
    try {
      this.set({ ...(await get(`api/${id}`)), title });
    } catch (error) {
      this.set(null, error.message);
    }
  }

  set(value, problem = "") {
    this.value = value;
    this.show();
    this.onChange(this, problem);
  }

  show() {
    this.input.value = "";
    if (!this.value) return fill(this.box, make("p", { class: "note" }, "Drop a file here, or choose one."), this.input);
    const { id, title, width, height, seconds } = this.value;
    const length = seconds === null ? "" : `, ${hours(seconds)}`;
    const remove = make("button", { type: "button", class: "small" }, "Remove");
    remove.addEventListener("click", () => { this.set(null); this.input.focus(); });
    fill(this.box, make("img", { src: `${id}.jpg`, alt: "First picture of the reference" }),
      make("div", {}, make("p", { class: "name" }, cut(title || (id.startsWith("made/") ? "a result of this page" : "an upload"), 60)),
        make("p", { class: "note" }, `${width}×${height}${length}`), remove));
  }
}
