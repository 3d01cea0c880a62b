// What the page was made with.

const about = JSON.parse(find("#data").textContent);

const post = (path, body) => send(path, about.token, JSON.stringify(body));

/** A number as the server reads it; null where nothing is written. */
const decimal = (text) => (text.trim() === "" ? null : text.trim().replace(",", "."));

/** What a person reads of a failure: its first line; a table below it stands as it is. */
function problemOf(text) {
  const [sentence, ...table] = String(text).split("\n");
  return [make("span", {}, sentence), table.length ? makeTable(table) : null];
}

function makeTable(lines) {
  const element = make("pre", { tabindex: "0" });
  element.textContent = lines.map(visible).join("\n");
  return element;
}

/** Width and height of an aspect with about as many pixels as the config's size has, in steps of 16. */
function shaped(across, down) {
  const area = about.size[0] * about.size[1];
  const width = Math.sqrt((area * across) / down);
  const onGrid = (side) => Math.min(Math.max(16 * Math.round(side / 16), 16, about.min_side), about.max_side);
  return [onGrid(width), onGrid((width * down) / across)];
}
