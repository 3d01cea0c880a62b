// Elements and numbers. Text from outside only ever becomes text: nothing here makes markup from it.

const find = (selector, root = document) => root.querySelector(selector);
const findAll = (selector, root = document) => [...root.querySelectorAll(selector)];

/** The text with each character that is not seen, or moves others, spelt out. */
function visible(text) {
  const hidden = /[\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/gu;
  return String(text).replace(hidden, (c) => "\\u" + c.codePointAt(0).toString(16).padStart(4, "0"));
}

const SHORT = 1200;
/** What fits on a page of a text that may be of any length. */
function cut(text, most = SHORT) {
  const shown = String(text).slice(0, most);
  return shown.length < String(text).length ? shown + "…" : shown;
}

/** An element; children that are no elements become text. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, visible(value));
  }
  append(element, children);
  return element;
}

function append(element, children) {
  for (const child of children.flat()) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : visible(child));
  }
}

function makeSvg(tag, attributes = {}) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  return element;
}

function fill(element, ...children) {
  element.replaceChildren();
  append(element, children);
}

const grouped = (number) => Math.round(number).toLocaleString("en-US");
const signed = (number) => (Math.round(number) > 0 ? "+" : Math.round(number) < 0 ? "−" : "±") + grouped(Math.abs(number));

/** A number to so many digits, never in scientific notation where it need not be. */
function number(value, digits = 4) {
  if (value === null || value === undefined || Number.isNaN(value)) return "none";
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value !== "number") return String(value);
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(digits)));
}

/** A length of footage. */
function hours(seconds) {
  if (seconds === null || seconds === undefined) return "";
  if (seconds < 59.95) return seconds.toFixed(1) + " s";
  const whole = Math.round(seconds);
  if (whole < 3600) return Math.floor(whole / 60) + " min " + String(whole % 60).padStart(2, "0") + " s";
  return (seconds / 3600).toLocaleString("en-US", { minimumFractionDigits: 1, maximumFractionDigits: 1 }) + " h";
}

const fileName = (uri) => String(uri ?? "unknown").replace(/\/+$/, "").split("/").pop() || "unknown";
