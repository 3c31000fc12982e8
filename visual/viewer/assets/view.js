// What the page shows at a moment: the metric, its scale, the cameras, the place that is read, the epoch.

class View {
  constructor(page) {
    this.sheets = page.sheets;
    this.metrics = page.metrics;
    this.maps = page.maps;
    this.frame = new Frame(page.sheets);
    this.chosen = page.sheets.length > 1 ? [0, 1] : [0]; // the sheet of each panel
    this.key = page.metrics[0].key;
    this.map = Object.keys(page.maps)[0];
    this.ends = Object.fromEntries(page.metrics.map(({ key, low, high, log }) => [key, { low, high, log }]));
    [this.linked, this.nodes, this.probe, this.epoch] = [true, false, null, Infinity];
    this.panels = this.chosen.map((_, number) => new Panel(this, number));
    this.stale = true;
  }

  metric() {
    return this.metrics.find(({ key }) => key === this.key);
  }

  scale() {
    return new Scale(this.ends[this.key]);
  }

  /** The scale of all the data, on which the bar's handles move. */
  wholeScale() {
    const { least, most } = this.metric();
    return new Scale({ low: least, high: most, log: this.ends[this.key].log });
  }

  colours() {
    return this.maps[this.map];
  }

  shown() {
    return this.chosen.map((number) => this.sheets[number]);
  }

  /** Change fields and draw; those that reshape the relief build it anew. */
  change(fields) {
    Object.assign(this, fields);
    if (Object.keys(fields).some((name) => ["key", "map", "ends", "chosen"].includes(name))) this.stale = true;
    this.schedule();
  }

  setScale(fields) {
    this.change({ ends: { ...this.ends, [this.key]: { ...this.ends[this.key], ...fields } } });
  }

  /** Move one panel's camera, and with it the others that are linked to it. */
  move(panel, how) {
    how(panel.camera);
    if (this.linked) for (const other of this.panels) other.camera.set(panel.camera);
    this.schedule();
  }

  /** Go to a view, in a quarter of a second where the reader does not mind motion. */
  fly(panels, goal) {
    const start = panels.map(({ camera }) => ({ ...camera }));
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const began = performance.now();
    const step = (now) => {
      const t = still ? 1 : between(0, (now - began) / 250, 1);
      const eased = t * t * (3 - 2 * t);
      panels.forEach(({ camera }, i) => {
        for (const name of Object.keys(goal)) camera[name] = start[i][name] + eased * (goal[name] - start[i][name]);
      });
      this.draw();
      if (t < 1) requestAnimationFrame(step);
    };
    step(still ? Infinity : began);
  }

  schedule() {
    this.waiting ??= requestAnimationFrame(() => this.draw());
  }

  draw() {
    this.waiting = null;
    if (this.stale) {
      for (const panel of this.panels) panel.reload();
      placeHandles(this);
      this.counts = fillLegend(this);
      document.getElementById("unit").textContent = [this.metric().label, this.metric().unit && `(${this.metric().unit})`].join(" ");
    }
    if (this.stale || this.resized) drawBar(this);
    [this.stale, this.resized] = [false, false];
    for (const panel of this.panels) panel.draw();
  }
}
