// The path of training on the relief: the line lies on the surface, the dot of an epoch stands at its own loss.

const PARTS = 8; // of a step between two epochs, so that the line follows the ground

/** Polylines in pixels for Overlay.path, with what is hidden and what comes after `epoch`. */
function walkLines(walk, relief, frame, lens, epoch) {
  const steps = [];
  for (let i = 0; i + 1 < walk.path.length; i++) {
    for (let part = 0; part < PARTS; part++) {
      const ends = [part, part + 1].map((p) => ground(mix(walk.path[i], walk.path[i + 1], p / PARTS), relief, frame));
      if (ends.some((point) => Number.isNaN(point[2]))) continue; // no ground there
      const hidden = relief.hides(mix(...ends, 0.5), lens.eye);
      steps.push({ points: ends.map((point) => lens.project(point)), hidden, later: i >= epoch });
    }
  }
  return steps;
}

/** Where an epoch's network stands: {foot, head} in space; head is null where its own loss is not shown. */
function walkStand(walk, epoch, relief, frame, scale, metric) {
  const foot = ground(walk.path[epoch], relief, frame);
  const loss = walk.loss?.[epoch];
  if (metric !== "loss" || !Number.isFinite(loss)) return { foot, head: null };
  return { foot, head: [foot[0], foot[1], between(0, scale.level(loss), 1) * HEIGHT] };
}

/** What is known of an epoch, as pairs of name and text. */
function walkFacts(walk, epoch) {
  const facts = [["epoch", String(walk.epochs[epoch])]];
  const told = { loss: "loss", in_plane: "below it in the plane", off_plane: "distance from the plane" };
  for (const [key, name] of Object.entries(told)) if (walk[key]) facts.push([name, say(walk[key][epoch] ?? NaN)]);
  if (walk.drops.includes(epoch)) facts.push(["then", "the learning rate falls"]);
  return facts;
}

function ground([x, y], relief, frame) {
  const [wx, wy] = [frame.place(x, 0), frame.place(y, 1)];
  return [wx, wy, relief.height(wx, wy)];
}

function mix(a, b, t) {
  return a.map((value, i) => value + t * (b[i] - value));
}
