// One sheet as a relief in space: heights by the scale, cells that have a value, and what a ray meets.

const HEIGHT = 0.72; // of the upper end of the scale
const FLOOR = -0.34; // where the flat map lies

/** The plane's coordinates for all sheets: the longer side runs from -1 to 1, both have one unit within reason. */
class Frame {
  constructor(sheets) {
    const ends = (key) => {
      const all = sheets.flatMap((sheet) => [sheet[key][0], sheet[key].at(-1)]);
      return [Math.min(...all), Math.max(...all)];
    };
    this.ranges = [ends("xs"), ends("ys")];
    const [width, depth] = this.ranges.map(([low, high]) => high - low);
    const proportion = between(0.6, depth / width, 1 / 0.6);
    this.half = [Math.min(1, 1 / proportion), Math.min(1, proportion)];
  }

  /** From data to space, axis 0 or 1. */
  place(value, axis) {
    const [low, high] = this.ranges[axis];
    return ((2 * (value - low)) / (high - low) - 1) * this.half[axis];
  }

  value(place, axis) {
    const [low, high] = this.ranges[axis];
    return low + ((place / this.half[axis] + 1) / 2) * (high - low);
  }
}

class Relief {
  constructor(sheet, values, scale, frame) {
    this.xs = Float64Array.from(sheet.xs, (x) => frame.place(x, 0));
    this.ys = Float64Array.from(sheet.ys, (y) => frame.place(y, 1));
    this.columns = this.xs.length;
    this.levels = Float32Array.from(values, (value) => scale.level(value));
    this.heights = filled(this.levels.map((level) => between(0, level, 1) * HEIGHT), this.columns);
    [this.known, this.unknown] = this.cells();
  }

  /** Two lists of triangles: of the cells whose four corners are numbers, and of the others. */
  cells() {
    const [known, unknown] = [[], []];
    for (let row = 0; row + 1 < this.ys.length; row++) {
      for (let column = 0; column + 1 < this.columns; column++) {
        const a = row * this.columns + column;
        const [b, c, d] = [a + 1, a + this.columns, a + this.columns + 1];
        const list = [a, b, c, d].some((i) => Number.isNaN(this.levels[i])) ? unknown : known;
        list.push(a, b, c, b, d, c);
      }
    }
    return [new Uint32Array(known), new Uint32Array(unknown)];
  }

  positions() {
    const found = new Float32Array(3 * this.levels.length);
    this.heights.forEach((height, i) => {
      found.set([this.xs[i % this.columns], this.ys[Math.floor(i / this.columns)], height], 3 * i);
    });
    return found;
  }

  /** Upward normals from the slopes to the neighbours, for the light. */
  normals() {
    const found = new Float32Array(3 * this.levels.length);
    const slope = (i, j, distance) => (this.heights[j] - this.heights[i]) / distance;
    for (let row = 0; row < this.ys.length; row++) {
      for (let column = 0; column < this.columns; column++) {
        const [left, right] = neighbours(column, this.columns);
        const [down, up] = neighbours(row, this.ys.length);
        const at = row * this.columns;
        const dx = slope(at + left, at + right, this.xs[right] - this.xs[left]);
        const dy = slope(down * this.columns + column, up * this.columns + column, this.ys[up] - this.ys[down]);
        found.set([-dx, -dy, 1], 3 * (at + column));
      }
    }
    return found;
  }

  /** Height over a point of the plane, bilinear; NaN outside, but for a hair: rays must not slip past the rim. */
  height(x, y) {
    const [column, u] = cellOf(this.xs, onto(this.xs, x));
    const [row, v] = cellOf(this.ys, onto(this.ys, y));
    if (column < 0 || row < 0) return NaN;
    const at = row * this.columns + column;
    const h = this.heights;
    const near = h[at] * (1 - u) + h[at + 1] * u;
    const far = h[at + this.columns] * (1 - u) + h[at + this.columns + 1] * u;
    return near * (1 - v) + far * v;
  }

  /** Where a ray first goes through the relief, from either side; else the lid, the floor, or null. */
  hit(eye, ray) {
    const at = (t) => along(eye, t, ray);
    const above = (t) => Math.sign(at(t)[2] - this.height(at(t)[0], at(t)[1])); // NaN outside
    const distance = Math.hypot(...along(eye, -1, TARGET));
    const step = REACH / 200;
    let lid = null;
    for (let t = Math.max(0, distance - REACH); t < distance + REACH; t += step) {
      if (!(above(t) * above(t + step) < 0)) continue;
      const point = at(crossing(above, t, t + step));
      if (this.height(point[0], point[1]) < 0.99 * HEIGHT) return point;
      lid ??= point; // one looks through it
    }
    return lid ?? this.floor(eye, ray);
  }

  floor(eye, ray) {
    const point = along(eye, (FLOOR - eye[2]) / ray[2], ray);
    const inside = cellOf(this.xs, point[0])[0] >= 0 && cellOf(this.ys, point[1])[0] >= 0;
    return ray[2] < 0 && inside ? point : null;
  }

  /** Whether the relief stands between a point and the eye. */
  hides(point, eye) {
    const away = along(eye, -1, point);
    const end = Math.min(1, (HEIGHT - point[2]) / Math.max(away[2], 1e-9));
    for (let i = 1; i <= 60; i++) {
      const [x, y, z] = along(point, (end * i) / 60, away);
      const height = this.height(x, y);
      if (height < 0.97 * HEIGHT && z < height - 0.008) return true; // one looks through the lid
    }
    return false;
  }
}

/** Heights with those of the surroundings where there are none: the hatching needs some place, and no hole tells more. */
function filled(heights, columns) {
  const found = heights.slice();
  let open = [...found.keys()].filter((i) => Number.isNaN(found[i]));
  while (open.length && open.length < found.length) {
    const before = found.slice();
    for (const i of open) {
      const beside = [i % columns ? i - 1 : -1, (i + 1) % columns ? i + 1 : -1, i - columns, i + columns];
      const known = beside.map((j) => before[j]).filter((height) => height >= 0); // undefined beyond the rim
      if (known.length) found[i] = known.reduce((sum, height) => sum + height, 0) / known.length;
    }
    open = open.filter((i) => Number.isNaN(found[i]));
  }
  return open.length ? found.fill(0) : found;
}

function neighbours(i, count) {
  return [Math.max(0, i - 1), Math.min(count - 1, i + 1)];
}

/** Where a function changes its sign between two places, by bisection. */
function crossing(sign, low, high) {
  const before = sign(low);
  for (let i = 0; i < 12; i++) {
    const middle = (low + high) / 2;
    if (sign(middle) === before) low = middle;
    else high = middle;
  }
  return high;
}

function onto(axis, value) {
  const inside = between(axis[0], value, axis.at(-1));
  return Math.abs(inside - value) < 0.006 ? inside : value;
}

/** The cell of a rising axis that holds a value, and the share of the way through it; [-1, NaN] outside. */
function cellOf(axis, value) {
  if (!(value >= axis[0] && value <= axis.at(-1))) return [-1, NaN];
  let [low, high] = [0, axis.length - 1];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (axis[middle] <= value) low = middle;
    else high = middle;
  }
  return [low, (value - axis[low]) / (axis[high] - axis[low])];
}

/** Number of the node of a rising axis that is nearest to a value. */
function nearest(axis, value) {
  const distances = Array.from(axis, (node) => Math.abs(node - value));
  return distances.indexOf(Math.min(...distances));
}
