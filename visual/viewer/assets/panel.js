// One picture: a sheet as a relief, its overlay, and what is read from it.

class Panel {
  constructor(view, number) {
    this.view = view;
    this.number = number;
    this.camera = new Camera();
    const figure = document.getElementById("panel").content.cloneNode(true).firstElementChild;
    document.getElementById("panels").append(figure);
    const find = (name) => figure.querySelector(`.${name}`);
    [this.stage, this.readout, this.step, this.name] = ["stage", "readout", "step", "name"].map(find);
    [this.surface, this.notice] = [find("surface"), find("notice")];
    this.overlay = new Overlay(find("overlay"));
    try {
      this.painter = new Painter(this.surface);
    } catch (error) {
      [this.notice.textContent, this.notice.hidden] = [`${error.message} The numbers can still be read.`, false];
    }
    this.surface.addEventListener("webglcontextrestored", () => view.schedule());
  }

  get sheet() {
    return this.view.sheets[this.view.chosen[this.number]];
  }

  /** Build the relief anew: another sheet, metric, scale or colour map. */
  reload() {
    const { view, sheet } = this;
    const values = sheet.values[view.metric().key];
    this.relief = new Relief(sheet, values, view.scale(), view.frame);
    this.painter?.load(this.relief, view.colours());
    if (!this.name.firstElementChild) this.name.textContent = sheet.name;
    this.stage.setAttribute("aria-label", `${sheet.name}: ${view.metric().label} over the plane; arrow keys turn it`);
  }

  draw() {
    const [width, height] = [this.stage.clientWidth, this.stage.clientHeight];
    const pixels = Math.min(2, window.devicePixelRatio || 1);
    for (const canvas of [this.surface, this.overlay.canvas]) resize(canvas, width * pixels, height * pixels);
    const lens = (this.lens = this.camera.lens(width, height));
    const { view, sheet } = this;
    const walls = this.camera.pitch < 72;
    const ticks = [0, 1].map((axis) => evenTicks(view.frame.ranges[axis]));
    const heights = view.scale().ticks(5).map((value) => ({ text: say(value), height: view.scale().level(value) * HEIGHT }));
    this.painter?.draw(lens, {
      ticks: contourLevels(view.scale()),
      over: OVER.map((part) => part / 255),
      ink: solid(colourOf("--ink")).slice(0, 3),
      lineColour: solid(colourOf("--line")),
      nodeColour: [0, 0, 0, 0.75],
      box: boxLines(view.frame, ticks, heights.map((mark) => mark.height), lens.eye, walls),
      measured: view.nodes ? sheet.measured : null,
    });
    this.overlay.clear(width, height, pixels);
    this.overlay.labels(axisLabels(view.frame, ticks, sheet.axes, heights, lens, walls));
    this.mark(lens);
    if (sheet.walk) this.drawWalk(lens);
    this.read();
  }

  /** The centre, and the node that is read. */
  mark(lens) {
    const centre = ground([0, 0], this.relief, this.view.frame);
    if (!Number.isNaN(centre[2]) && !this.relief.hides(centre, lens.eye)) this.overlay.centre(lens.project(centre));
    const node = this.node();
    if (!node) return;
    const [x, y] = [this.relief.xs[node.column], this.relief.ys[node.row]];
    const top = lens.project([x, y, this.relief.heights[node.index]]);
    this.overlay.line([top, lens.project([x, y, FLOOR])], 1, colourOf("--ink"));
    this.overlay.dot(top, 5, "#fff");
  }

  drawWalk(lens) {
    const { view, sheet: { walk } } = this;
    const epoch = Math.min(view.epoch, walk.path.length - 1);
    this.overlay.path(walkLines(walk, this.relief, view.frame, lens, epoch));
    walk.path.forEach((place, i) => {
      const point = ground(place, this.relief, view.frame);
      if (i > epoch || Number.isNaN(point[2]) || this.relief.hides(point, lens.eye)) return;
      this.overlay.dot(lens.project(point), walk.drops.includes(i) ? 4.5 : 3, walk.drops.includes(i) ? "#D55E00" : "#fff");
    });
    const { foot, head } = walkStand(walk, epoch, this.relief, view.frame, view.scale(), view.metric().key);
    if (!Number.isNaN(foot[2]) && head) this.overlay.stem(lens.project(foot), lens.project(head));
    if (head ?? !Number.isNaN(foot[2])) this.overlay.dot(lens.project(head ?? foot), 6.5, ORANGE);
    this.step.hidden = false;
    this.step.replaceChildren(...facts(walkFacts(walk, epoch)));
  }

  /** The node nearest to the place that is read, on any panel: {index, row, column}. */
  node() {
    if (!this.view.probe) return null;
    const [column, row] = [nearest(this.sheet.xs, this.view.probe[0]), nearest(this.sheet.ys, this.view.probe[1])];
    return { column, row, index: row * this.sheet.xs.length + column };
  }

  /** Write the values of the node that is read. */
  read() {
    const node = this.node();
    if (!node) return this.readout.replaceChildren(this.sheet.hint);
    const { sheet, view } = this;
    const pairs = [["x", say(sheet.xs[node.column])], ["y", say(sheet.ys[node.row])]];
    for (const { key, label, unit } of view.metrics) {
      const value = sheet.values[key][node.index];
      if (Number.isFinite(value)) pairs.push([label, `${say(value)} ${unit}`]);
      else if (key === view.key) pairs.push([label, say(value)]);
    }
    if (!sheet.measured[node.index]) pairs.push(["", "interpolated"]);
    this.readout.replaceChildren(...facts(pairs));
  }

  /** The place of the plane, in data, that is seen at a pixel; null beside the sheet. */
  pick(x, y) {
    const point = this.relief.hit(this.lens.eye, this.lens.ray(x, y));
    return point && [0, 1].map((axis) => this.view.frame.value(point[axis], axis));
  }
}

/** Names in grey and values in ink, with dots between. */
function facts(pairs) {
  return pairs.flatMap(([name, text], i) => {
    const value = document.createElement("strong");
    value.textContent = text;
    return [i ? " · " : "", name ? `${name} ` : "", value];
  });
}

function resize(canvas, width, height) {
  const [w, h] = [Math.round(width), Math.round(height)];
  if (canvas.width !== w || canvas.height !== h) [canvas.width, canvas.height] = [w, h];
}

/** Levels of the lines of equal value: round values, but not the lower end, where no line has two sides. */
function contourLevels(scale) {
  return scale.ticks(9).map((value) => scale.level(value)).filter((level) => level > 0.005);
}

function evenTicks([low, high]) {
  return evenSteps(low, high, 4);
}

/** A "#rrggbb" as four numbers for WebGL. */
function solid(hex) {
  return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16) / 255).concat(1);
}
