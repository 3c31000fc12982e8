// Triangles of a relief for WebGL, cut exactly where the scale ends: what is clipped is a sheet of its own, a lid.

class Mesh {
  constructor(relief) {
    const [positions, normals] = [relief.positions(), relief.normals()];
    this.level = Array.from(relief.levels, (level) => (Number.isNaN(level) ? 0 : level));
    this.position = this.level.map((_, i) => Array.from(positions.subarray(3 * i, 3 * i + 3)));
    this.normal = this.level.map((_, i) => Array.from(normals.subarray(3 * i, 3 * i + 3)));
    const [below, lid] = this.cut(relief.known, 1);
    const [under, open] = this.cut(below, 0);
    this.triangles = { open: under.concat(open), lid, unknown: relief.unknown };
  }

  /** Triangles under and over a level; those that cross it are cut in three. */
  cut(triangles, level) {
    const sides = [[], []];
    for (let i = 0; i < triangles.length; i += 3) {
      const corners = [triangles[i], triangles[i + 1], triangles[i + 2]];
      const over = corners.map((corner) => (this.level[corner] > level ? 1 : 0));
      const count = over[0] + over[1] + over[2];
      if (count % 3 === 0) {
        sides[over[0]].push(...corners);
        continue;
      }
      const alone = over.indexOf(count === 1 ? 1 : 0); // the corner that has its side for itself
      const [a, b, c] = [0, 1, 2].map((turn) => corners[(alone + turn) % 3]);
      const [p, q] = [this.between(a, b, level), this.between(a, c, level)];
      sides[over[alone]].push(a, p, q);
      sides[1 - over[alone]].push(p, b, c, p, c, q);
    }
    return sides;
  }

  /** A new point on an edge, where it crosses a level. */
  between(a, b, level) {
    const t = (level - this.level[a]) / (this.level[b] - this.level[a]);
    const [x, y] = mix(this.position[a], this.position[b], t);
    this.position.push([x, y, level * HEIGHT]);
    this.normal.push(mix(this.normal[a], this.normal[b], t));
    return this.level.push(level) - 1;
  }
}
