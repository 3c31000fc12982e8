// The box around the relief: which of its walls face away, their lines, and the labels along the near edges.

/** Signs of the near sides of the box as seen from the eye; in doubt x's labels stand in front, y's at the left. */
function nearSides(eye) {
  return [eye[0] > 1e-3 ? 1 : -1, eye[1] > 1e-3 ? 1 : -1];
}

/** Pairs of points: the floor with a line for every tick, and the two far walls with a line for every height. */
function boxLines(frame, ticks, heights, eye, withWalls) {
  const [ax, ay] = frame.half;
  const [sx, sy] = nearSides(eye);
  const lines = [];
  for (const x of [-ax, ...ticks[0].map((tick) => frame.place(tick, 0)), ax]) lines.push([x, -ay, FLOOR], [x, ay, FLOOR]);
  for (const y of [-ay, ...ticks[1].map((tick) => frame.place(tick, 1)), ay]) lines.push([-ax, y, FLOOR], [ax, y, FLOOR]);
  if (!withWalls) return lines;
  for (const z of heights) {
    lines.push([-sx * ax, -ay, z], [-sx * ax, ay, z], [-ax, -sy * ay, z], [ax, -sy * ay, z]);
  }
  for (const [x, y] of [[-sx, -sy], [-sx, sy], [sx, -sy]]) lines.push([x * ax, y * ay, FLOOR], [x * ax, y * ay, HEIGHT]);
  return lines;
}

/** Labels {text, at: [x, y] in pixels, align, strong} for both directions and the heights. */
function axisLabels(frame, ticks, names, heights, lens, withWalls) {
  const [ax, ay] = frame.half;
  const [sx, sy] = nearSides(lens.eye);
  const labels = [];
  const base = withWalls ? FLOOR : HEIGHT; // from above, the relief would cover labels on the floor
  const along0 = (x, gap) => lens.project([x, sy * (ay + gap), base]);
  const along1 = (y, gap) => lens.project([sx * (ax + gap), y, base]);
  for (const tick of ticks[0]) labels.push({ text: say(tick), at: along0(frame.place(tick, 0), 0.1), align: "center" });
  for (const tick of ticks[1]) labels.push({ text: say(tick), at: along1(frame.place(tick, 1), 0.1), align: "center" });
  labels.push({ text: names[0], at: along0(0, 0.28), align: "center", strong: true, turn: slant(along0, ax) });
  labels.push({ text: names[1], at: along1(0, 0.28), align: "center", strong: true, turn: slant(along1, ay) });
  if (withWalls) {
    const corners = [[-sx * ax, sy * ay], [sx * ax, -sy * ay]];
    const [x, y] = corners.sort((a, b) => lens.project([...a, 0])[0] - lens.project([...b, 0])[0])[0];
    let last = Infinity; // heights rise: pixels fall
    for (const { text, height } of heights) {
      const [px, py] = lens.project([x, y, height]);
      if (last - py < 13) continue;
      labels.push({ text, at: [px - 8, py], align: "right" });
      last = py;
    }
  }
  return labels;
}

/** The angle of an edge on the screen, read from left to right. */
function slant(edge, half) {
  const [[x0, y0], [x1, y1]] = [edge(-half, 0.3), edge(half, 0.3)].sort((a, b) => a[0] - b[0]);
  return Math.abs(x1 - x0) < 1e-6 ? -Math.PI / 2 : Math.atan2(y1 - y0, x1 - x0);
}
