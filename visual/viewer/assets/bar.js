// The colour bar, which is also the control of its own ends: two handles over the whole range of the data.

/** Wire the two sliders; `changed(low, high)` gets values of the data. */
function wireBar(view, changed) {
  const [low, high] = ["low", "high"].map((id) => document.getElementById(id));
  const value = (slider) => view.wholeScale().value(slider.value / 1000);
  const moved = (slider, other, order) => () => {
    slider.value = order(Number(slider.value), Number(other.value)); // the handles keep their order and a distance
    changed(value(low), value(high));
  };
  low.addEventListener("input", moved(low, high, (mine, its) => Math.min(mine, its - 20)));
  high.addEventListener("input", moved(high, low, (mine, its) => Math.max(mine, its + 20)));
}

/** Put the handles where the scale ends, and say so to those who cannot see them. */
function placeHandles(view) {
  const [whole, scale, { unit }] = [view.wholeScale(), view.scale(), view.metric()];
  for (const end of ["low", "high"]) {
    const slider = document.getElementById(end);
    slider.value = Math.round(1000 * whole.level(scale[end]));
    slider.setAttribute("aria-valuetext", `${say(scale[end])} ${unit}`);
  }
}

function drawBar(view) {
  const canvas = document.getElementById("bar");
  const [pixels, { width, height }] = [window.devicePixelRatio || 1, canvas.getBoundingClientRect()];
  [canvas.width, canvas.height] = [width * pixels, height * pixels];
  const pen = canvas.getContext("2d");
  pen.scale(pixels, pixels);
  const [whole, scale, map] = [view.wholeScale(), view.scale(), view.colours()];
  for (let x = 0; x < width; x++) {
    pen.fillStyle = barColour(scale.level(whole.value((x + 0.5) / width)), map, x);
    pen.fillRect(x, 5, 1.5, 22);
  }
  pen.font = `12px ${getComputedStyle(document.body).fontFamily}`;
  pen.textBaseline = "top";
  barTicks(pen, view, whole, width);
}

/** Clipped ends are striped on the bar as they are on the relief. */
function barColour(level, map, x) {
  const base = level > 1 ? OVER : mapColour(map, level);
  if (level >= 0 && level <= 1) return css(base);
  return css(x % 8 < 4 ? base : stripeOn(base, level > 1));
}

/** Ticks of the scale, skipping those whose texts would touch; the ends of the data where there is room. */
function barTicks(pen, view, whole, width) {
  const taken = [];
  const scale = view.scale();
  const dark = colourOf("--muted");
  for (const value of [...scale.ticks(6), whole.low, whole.high]) {
    const x = between(0, whole.level(value), 1) * width;
    const text = value === whole.high && view.metric().above ? `${say(value)} and more` : say(value);
    const half = pen.measureText(text).width / 2;
    const middle = between(half, x, width - half);
    if (taken.some(([from, to]) => middle + half + 8 > from && middle - half - 8 < to)) continue;
    taken.push([middle - half, middle + half]);
    pen.fillStyle = dark;
    pen.fillRect(between(0.5, x, width - 0.5) - 0.5, 27, 1, 5);
    pen.textAlign = "center";
    pen.fillText(text, middle, 36);
  }
}

const OVER = [253, 249, 224]; // above the scale: a near-white that no map reaches

/** The colour of the stripes on a clipped end: darker above the scale, lighter below it. */
function stripeOn(base, above) {
  return base.map((part) => (above ? 0.8 * part : 0.65 * part + 0.35 * 255));
}

function mapColour(map, level) {
  const at = 3 * Math.round(255 * between(0, level, 1));
  return [map[at], map[at + 1], map[at + 2]];
}

function css(parts) {
  return `rgb(${parts.map(Math.round).join(" ")})`;
}
