// Where a value lies between the ends of the scale, and round values to write beside it.

class Scale {
  constructor({ low, high, log }) {
    Object.assign(this, { low, high, log });
  }

  /** 0 at the lower end, 1 at the upper; beyond them the value is clipped. NaN stays NaN. */
  level(value) {
    const { low, high, log } = this;
    if (!log) return (value - low) / (high - low);
    return value > 0 ? Math.log(value / low) / Math.log(high / low) : value <= 0 ? -1 : NaN;
  }

  value(level) {
    const { low, high, log } = this;
    return log ? low * Math.pow(high / low, level) : low + level * (high - low);
  }

  /** About `count` round values inside the scale. */
  ticks(count) {
    const inside = (values) => values.filter((value) => value >= this.low && value <= this.high);
    if (!this.log) return inside(evenSteps(this.low, this.high, count));
    let found = [];
    for (const steps of [[1], [1, 2, 5], [1, 1.5, 2, 3, 5, 7]]) {
      if (found.length < count) found = inside(decades(this.low, this.high, steps));
    }
    return found.length < 3 ? inside(evenSteps(this.low, this.high, count)) : found;
  }
}

function evenSteps(low, high, count) {
  const rough = (high - low) / count;
  const power = Math.pow(10, Math.floor(Math.log10(rough)));
  const step = [1, 2, 5, 10].find((size) => size * power >= rough) * power;
  const first = Math.ceil(low / step);
  const length = Math.floor(high / step + 1e-9) - first + 1;
  return Array.from({ length }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}

function decades(low, high, steps) {
  const found = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++) {
    for (const step of steps) found.push(Number(`${step}e${power}`));
  }
  return found;
}

/** Three digits, a true minus, no exponent where it can be avoided. */
function say(value) {
  if (!Number.isFinite(value)) return "not finite";
  const size = Math.abs(value);
  const text = size >= 1e6 || (size > 0 && size < 1e-4) ? value.toExponential(1) : String(Number(value.toPrecision(3)));
  return text.replace("-", "−");
}
