// Which clips of the sample the rules keep, now and with the limits where they have been moved to.

class Selection {
  constructor(rules, sample) {
    this.sample = sample;
    this.rules = rules.map((rule, k) => this.prepared(rule, sample.passes.get(k)));
    for (const rule of this.rules) rule.outcome = this.evaluate(rule);
    this.held = this.otherReasons();
    this.before = this.count();
  }

  prepared(rule, passes) {
    return { ...rule, passes, values: rule.limits.map((limit) => limit.value), isTried: false };
  }

  /** For each clip 1 where the rule keeps it; a value that is missing keeps nothing. */
  evaluate(rule) {
    const { numClips, reason, reasons, columns } = this.sample;
    const outcome = new Uint8Array(numClips);
    if (rule.passes) {
      // Where the page's maker could not work it out either, the selection's own record must do.
      const own = reasons.indexOf(rule.name);
      for (let k = 0; k < numClips; k++) outcome[k] = rule.passes[k] === 2 ? Number(own < 0 || reason[k] !== own) : rule.passes[k];
      return outcome;
    }
    const value = compile(rule.tree, columns, rule.values);
    for (let k = 0; k < numClips; k++) { const kept = value(k); outcome[k] = kept !== 0 && !Number.isNaN(kept) ? 1 : 0; }
    return outcome;
  }

  /** Clips that something else than a rule dropped (a share of a cluster, say) stay dropped, whatever the limits. */
  otherReasons() {
    const named = new Set(this.rules.map((rule) => rule.name));
    const isOther = this.sample.reasons.map((reason) => !named.has(reason) && !reason.startsWith("missing:"));
    return Uint8Array.from(this.sample.reason, (reason) => (reason >= 0 && isOther[reason] ? 1 : 0));
  }

  move(rule, limit, value) {
    rule.values[limit] = value;
    rule.outcome = this.evaluate(rule);
  }

  add(column, op, value) {
    const tree = { op, of: [{ column }, { limit: 0 }] };
    const rule = this.prepared({ name: "try", predicate: "", tree, limits: [{ column, op, value }], columns: [column] });
    rule.isTried = true;
    rule.outcome = this.evaluate(rule);
    this.rules.push(rule);
    return rule;
  }

  reset() {
    this.rules = this.rules.filter((rule) => !rule.isTried);
    for (const rule of this.rules) {
      rule.values = rule.limits.map((limit) => limit.value);
      rule.outcome = this.evaluate(rule);
    }
  }

  get isChanged() {
    return this.rules.some((rule) => rule.isTried || rule.values.some((value, k) => value !== rule.limits[k].value));
  }

  /** How many clips and seconds are kept, and how many clips each rule is the first to drop. */
  count() {
    const { numClips, seconds } = this.sample;
    const byRule = this.rules.map(() => 0);
    let kept = 0, keptSeconds = 0, other = 0;
    clips: for (let k = 0; k < numClips; k++) {
      for (let r = 0; r < this.rules.length; r++) {
        if (!this.rules[r].outcome[k]) { byRule[r]++; continue clips; }
      }
      if (this.held[k]) { other++; continue; }
      kept++;
      keptSeconds += seconds[k] || 0;
    }
    return { kept, keptSeconds, byRule, other };
  }

  /** Clips of which the recorded selection says something else than the rules do now. */
  numStale() {
    let stale = 0;
    for (let k = 0; k < this.sample.numClips; k++) {
      const isKept = this.rules.every((rule) => rule.isTried || rule.outcome[k]) && !this.held[k];
      if (this.sample.reason[k] !== -2 && isKept !== (this.sample.reason[k] === -1)) stale++;
    }
    return stale;
  }

  /** A rule's predicate with its limits where they are now. */
  text(rule) {
    if (rule.isTried) return `${rule.limits[0].column} ${rule.limits[0].op} ${number(rule.values[0], 6)}`;
    const points = [...rule.predicate];
    const places = rule.limits.map((limit, k) => ({ ...limit, now: rule.values[k] })).sort((a, b) => b.start - a.start);
    for (const place of places) {
      if (place.now !== place.value) points.splice(place.start, place.length, number(place.now, 6));
    }
    return points.join("");
  }
}
