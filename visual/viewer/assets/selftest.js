// Opened with #selftest, the page measures itself and writes what it finds into the document, for a test to read.

function selfTest(view) {
  view.draw();
  const panel = view.panels[0];
  const { relief, sheet } = panel;
  const found = { panels: view.panels.length, webgl: Boolean(panel.painter), counts: view.counts };
  [found.vertices, found.triangles] = [relief.levels.length, relief.known.length / 3];
  found.picked = pickedBack(panel);
  if (panel.painter) found.pixel = pixelAbove(view, panel);
  view.move(panel, (camera) => camera.set(HOME));
  panel.stage.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowLeft", bubbles: true }));
  panel.stage.dispatchEvent(new KeyboardEvent("keydown", { key: "+", bubbles: true }));
  view.draw();
  found.cameras = view.panels.map(({ camera }) => ({ ...camera }));
  panel.stage.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight", shiftKey: true, bubbles: true }));
  view.draw();
  found.readouts = view.panels.map(({ readout }) => readout.textContent);
  const controls = [...document.querySelectorAll("input, select, button")];
  const name = (control) => control.labels?.length || control.ariaLabel || control.textContent.trim();
  found.unnamed = controls.filter((control) => !name(control)).map(({ id }) => id);
  found.wide = document.documentElement.scrollWidth > document.documentElement.clientWidth; // a page that scrolls sideways
  found.requests = performance.getEntriesByType("resource").map(({ name }) => name);
  found.node = sheet.values[view.key][panel.node().index];
  const result = Object.assign(document.createElement("pre"), { id: "selftest", textContent: JSON.stringify(found) });
  document.body.append(result);
}

/** From above every node is seen: the share that is found again through its own pixel. */
function pickedBack(panel) {
  panel.camera.set(ABOVE);
  panel.draw();
  const { relief, lens, sheet } = panel;
  let [right, all] = [0, 0];
  relief.heights.forEach((height, i) => {
    const [column, row] = [i % relief.columns, Math.floor(i / relief.columns)];
    if (column % 3 || row % 3) return;
    const at = panel.pick(...lens.project([relief.xs[column] * 0.999, relief.ys[row] * 0.999, height]));
    all++;
    if (at && nearest(sheet.xs, at[0]) === column && nearest(sheet.ys, at[1]) === row) right++;
  });
  return right / all;
}

/** The colour that WebGL drew at the lowest node, seen from above, beside the one that the map has for it. */
function pixelAbove(view, panel) {
  const { relief, lens, painter, surface } = panel;
  const values = Array.from(relief.levels, (level) => (level >= 0 ? level : Infinity));
  const lowest = values.indexOf(Math.min(...values));
  const place = [relief.xs[lowest % relief.columns], relief.ys[Math.floor(lowest / relief.columns)]];
  const [x, y] = lens.project([...place, relief.heights[lowest]]);
  const scale = surface.width / lens.width;
  panel.draw(); // the drawing buffer lives until the page is painted
  const drawn = new Uint8Array(4);
  painter.gl.readPixels(x * scale, surface.height - y * scale, 1, 1, painter.gl.RGBA, painter.gl.UNSIGNED_BYTE, drawn);
  return { drawn: [...drawn.slice(0, 3)], expected: mapColour(view.colours(), values[lowest]) };
}
