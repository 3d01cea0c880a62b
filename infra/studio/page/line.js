// What waits and what is being made; the server is asked often while there is something, else now and then.

const OFTEN_MS = 500, SELDOM_MS = 3000;

class Waiting {
  constructor(onResults) {
    Object.assign(this, { onResults, numResults: -1, items: new Map(), dismissed: new Set() });
    this.box = find("#line");
    this.ask();
  }

  /** Ask now, and again later. */
  async ask() {
    clearTimeout(this.timer);
    let isBusy = false;
    try {
      isBusy = await this.show(await get("api/line"));
    } catch (error) {
      this.box.hidden = false;
      find("#ready").textContent = `The server does not answer: ${error.message}`;
    }
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.ask(), isBusy ? OFTEN_MS : SELDOM_MS);
  }

  /** Show where everything stands; whether there is anything to wait for. */
  async show(line) {
    const busy = line.orders.filter((order) => ["waiting", "running"].includes(order.state));
    const failed = line.orders.filter((order) => order.state === "failed" && !this.dismissed.has(order.id));
    this.box.hidden = !busy.length && !failed.length && line.is_ready;
    find("#ready").textContent = line.is_ready ? "" : "The model is being loaded.";
    this.arrange([...busy, ...failed].map((order) => this.item(order, line.progress)));
    if (line.num_results !== this.numResults) {
      await this.onResults();
      this.numResults = line.num_results;
    }
    return busy.length > 0 || !line.is_ready;
  }

  /** What is there already stays where it is, so that a button under somebody's finger does. */
  arrange(items) {
    const list = find(".orders", this.box);
    const shown = new Set(items);
    for (const old of [...list.children]) if (!shown.has(old)) old.remove();
    items.forEach((item, k) => { if (list.children[k] !== item) list.insertBefore(item, list.children[k] ?? null); });
    const ids = new Set(items.map((item) => item.dataset.order));
    for (const id of [...this.items.keys()]) if (!ids.has(id)) this.items.delete(id);
  }

  item(order, progress) {
    const known = this.items.get(order.id);
    const item = known?.classList.contains(order.state) ? known : this.begin(order);
    this.items.set(order.id, item);
    const mode = MODES[order.mode][0];
    if (order.state === "waiting") find(".note", item).textContent = `${mode} · ${order.place === 1 ? "next" : `number ${order.place}`} in the line`;
    if (order.state === "running") {
      const step = progress ? `step ${progress.step} of ${progress.steps}${progress.num > 1 ? `, ${progress.num} at once` : ""}` : "beginning";
      find(".note", item).textContent = `${mode} · ${progress?.share >= 1 ? "writing" : step}`;
      if (progress) find("progress", item).value = progress.share;
    }
    return item;
  }

  begin(order) {
    const item = make("li", { class: order.state, "data-order": order.id }, make("p", { class: "name" }, cut(order.prompt, 160)));
    if (order.state === "failed") {
      append(item, [make("div", { class: "problem", role: "alert" }, problemOf(order.message)), this.button("Dismiss", () => this.dismissed.add(order.id))]);
    } else {
      append(item, [make("p", { class: "note" }), this.button("Cancel", () => post(`api/orders/${order.id}/cancel`, {}).catch(() => {}))]);
      if (order.state === "running") append(item, [make("progress", { max: "1", "aria-label": "Progress" })]);
    }
    return item;
  }

  button(name, act) {
    const button = make("button", { type: "button", class: "small" }, name);
    button.addEventListener("click", async () => { await act(); this.ask(); });
    return button;
  }
}
