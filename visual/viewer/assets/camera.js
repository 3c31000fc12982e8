// An eye that orbits the relief: yaw around the vertical, pitch above the plane, distance by zoom.

const HOME = { yaw: -58, pitch: 30, zoom: 1 };
const ABOVE = { yaw: -90, pitch: 90, zoom: 1.25 };
const TARGET = [0, 0, 0.07];
const FOCAL = 3.1; // a long lens: parallel edges stay nearly so
const REACH = 1.9; // all there is lies within so much of the target

const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
const along = (a, t, b) => [a[0] + t * b[0], a[1] + t * b[1], a[2] + t * b[2]]; // a + t b
const between = (low, value, high) => Math.min(high, Math.max(low, value));

class Camera {
  constructor() {
    Object.assign(this, HOME);
  }

  turn(yaw, pitch) {
    this.yaw += yaw;
    this.pitch = between(4, this.pitch + pitch, 90); // never below the floor
  }

  closer(factor) {
    this.zoom = between(0.6, this.zoom * factor, 8);
  }

  set({ yaw, pitch, zoom }) {
    Object.assign(this, { yaw, pitch, zoom });
  }

  /** The lens for a picture of this shape: position, axes, and both ways between space and pixels. */
  lens(width, height) {
    const [yaw, pitch] = [this.yaw, this.pitch].map((degrees) => (degrees * Math.PI) / 180);
    const [sy, cy, sp, cp] = [Math.sin(yaw), Math.cos(yaw), Math.sin(pitch), Math.cos(pitch)];
    const right = [-sy, cy, 0];
    const up = [-sp * cy, -sp * sy, cp];
    const back = [cp * cy, cp * sy, sp];
    const aspect = width / height;
    const longer = 1 + 40 * Math.max(0, this.pitch / 30 - 2) ** 2; // from above the lens grows long: a true map
    const distance = (longer * 4.5 * Math.max(1, 1.4 / aspect)) / this.zoom; // a narrow picture steps back
    const eye = along(TARGET, distance, back);
    return new Lens({ width, height, aspect, right, up, back, eye, distance, focal: FOCAL * longer });
  }
}

class Lens {
  constructor(fields) {
    Object.assign(this, fields);
  }

  /** Pixel [x, y] at which a point of space is seen. */
  project(point) {
    const away = along(point, -1, this.eye);
    const depth = -dot(away, this.back);
    const x = ((this.focal / this.aspect) * dot(away, this.right)) / depth;
    const y = (this.focal * dot(away, this.up)) / depth;
    return [((1 + x) / 2) * this.width, ((1 - y) / 2) * this.height];
  }

  /** Direction, from the eye, of what is seen at a pixel. */
  ray(x, y) {
    const sideways = ((2 * x) / this.width - 1) * (this.aspect / this.focal);
    const upwards = (1 - (2 * y) / this.height) / this.focal;
    return along(along(along([0, 0, 0], -1, this.back), sideways, this.right), upwards, this.up);
  }

  /** The same projection for WebGL, column by column. */
  matrix() {
    const { aspect, right, up, back, eye, distance, focal } = this;
    const [near, far] = [Math.max(0.05, distance - REACH), distance + REACH];
    const a = (far + near) / (far - near);
    const b = (2 * far * near) / (far - near);
    const rows = [
      [...right.map((v) => (focal / aspect) * v), (-focal / aspect) * dot(right, eye)],
      [...up.map((v) => focal * v), -focal * dot(up, eye)],
      [...back.map((v) => -a * v), a * dot(back, eye) - b],
      [...back.map((v) => -v), dot(back, eye)],
    ];
    return new Float32Array([0, 1, 2, 3].flatMap((column) => rows.map((row) => row[column])));
  }
}
