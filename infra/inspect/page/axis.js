// Between the values of a score and the places on its histogram; the same as where the bars were drawn.

class Axis {
  constructor(shape) { Object.assign(this, shape); }

  place(value) {
    let part = 0.5;
    if (this.is_log) {
      if (value <= 0) return this.zero;
      part = Math.log(Math.max(value, this.low) / this.low) / Math.log(this.high / this.low);
    } else if (this.high > this.low) part = (value - this.low) / (this.high - this.low);
    return this.left + Math.min(Math.max(part, 0), 1) * (this.width - this.left);
  }

  value(place) {
    if (this.left && place < this.left / 2) return 0;
    const part = Math.min(Math.max((place - this.left) / (this.width - this.left), 0), 1);
    if (this.is_log) return Number((this.low * (this.high / this.low) ** part).toPrecision(3));
    return this.rounded(this.low + part * (this.high - this.low));
  }

  /** To a step of which there are a few hundred on the axis. */
  rounded(value) {
    if (this.high <= this.low) return this.low;
    const power = 10 ** Math.floor(Math.log10((this.high - this.low) / 200));
    return Number((Math.round(value / power) * power).toPrecision(12));
  }

  /** A key's small step from a value. */
  step(value, steps) {
    if (this.is_log) return value <= 0 ? (steps > 0 ? this.low : 0) : Number((value * (this.high / this.low) ** (steps / 200)).toPrecision(3));
    return this.rounded(Math.min(Math.max(value + (steps * (this.high - this.low)) / 200, this.low), this.high));
  }
}
