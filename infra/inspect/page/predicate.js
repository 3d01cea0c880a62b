// A rule's predicate for every clip of the sample, with SQL's three values: 1, 0, and NaN for NULL.

const COMPARE = {
  ">=": (a, b) => a >= b, ">": (a, b) => a > b, "<=": (a, b) => a <= b, "<": (a, b) => a < b,
  "=": (a, b) => a === b, "<>": (a, b) => a !== b,
};
const COMPUTE = { "+": (a, b) => a + b, "-": (a, b) => a - b, "*": (a, b) => a * b, "/": (a, b) => (b === 0 ? NaN : a / b) };

/** A function from a clip's index to the value of a tree. */
function compile(tree, columns, limits) {
  if ("column" in tree) {
    const values = columns.get(tree.column);
    return (k) => values[k];
  }
  // Columns hold single precision; a limit that equals a value must still equal it.
  if ("limit" in tree) {
    const value = Math.fround(limits[tree.limit]);
    return () => value;
  }
  if ("number" in tree) {
    const value = Math.fround(tree.number);
    return () => value;
  }
  const of = tree.of.map((child) => compile(child, columns, limits));
  if (tree.op === "and" || tree.op === "or") return connect(of, tree.op === "and" ? 0 : 1);
  if (tree.op === "not") return (k) => { const value = of[0](k); return Number.isNaN(value) ? NaN : value === 0 ? 1 : 0; };
  if (tree.op === "null") return (k) => (Number.isNaN(of[0](k)) ? 1 : 0);
  if (tree.op === "coalesce") return (k) => { for (const one of of) { const value = one(k); if (!Number.isNaN(value)) return value; } return NaN; };
  if (tree.op === "-" && of.length === 1) return (k) => -of[0](k);
  const [left, right] = of;
  if (tree.op in COMPUTE) return (k) => COMPUTE[tree.op](left(k), right(k));
  const compare = COMPARE[tree.op];
  return (k) => { const a = left(k), b = right(k); return Number.isNaN(a) || Number.isNaN(b) ? NaN : compare(a, b) ? 1 : 0; };
}

/** AND (decided by a 0) or OR (decided by a 1): what is not known decides nothing. */
function connect(of, deciding) {
  return (k) => {
    let isKnown = true;
    for (const one of of) {
      const value = one(k);
      if (Number.isNaN(value)) isKnown = false;
      else if ((value !== 0 ? 1 : 0) === deciding) return deciding;
    }
    return isKnown ? 1 - deciding : NaN;
  };
}
