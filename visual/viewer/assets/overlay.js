// What lies above the relief on a plain canvas: labels, the centre, the path of training, and the point that is read.
// What the relief hides is drawn faintly, so that a path never seems to end.

class Overlay {
  constructor(canvas) {
    this.canvas = canvas;
    this.pen = canvas.getContext("2d");
  }

  /** Begin a picture in CSS pixels. */
  clear(width, height, pixels) {
    this.pen.setTransform(pixels, 0, 0, pixels, 0, 0);
    this.pen.clearRect(0, 0, width, height);
    this.ink = colourOf("--ink");
    this.muted = colourOf("--muted");
    this.halo = colourOf("--halo");
    this.font = getComputedStyle(document.body).fontFamily;
  }

  labels(labels) {
    const pen = this.pen;
    pen.textBaseline = "middle";
    for (const { text, at, align, strong, turn } of labels) {
      pen.save();
      pen.translate(...at);
      pen.rotate(turn ?? 0);
      pen.font = `${strong ? 600 : 400} 12px ${this.font}`;
      pen.textAlign = align;
      pen.fillStyle = strong ? this.ink : this.muted;
      pen.fillText(text, 0, 0);
      pen.restore();
    }
  }

  /** A cross for the network itself. */
  centre([x, y]) {
    for (const [width, colour] of [[4, "#fff"], [1.8, "#1d2126"]]) {
      this.line([[x - 6, y], [x + 6, y]], width, colour);
      this.line([[x, y - 6], [x, y + 6]], width, colour);
    }
  }

  /** The path: `steps` are {points, hidden, later}, polylines in pixels. */
  path(steps) {
    for (const [width, colour] of [[4.6, "#1d2126"], [2.2, "#fff"]]) {
      for (const { points, hidden, later } of steps) {
        this.pen.globalAlpha = (hidden ? 0.25 : 1) * (later ? 0.35 : 1);
        this.line(points, width, colour);
      }
    }
    this.pen.globalAlpha = 1;
  }

  dot([x, y], radius, fill, edge = "#1d2126") {
    const pen = this.pen;
    pen.beginPath();
    pen.arc(x, y, radius, 0, 2 * Math.PI);
    pen.fillStyle = fill;
    pen.fill();
    pen.lineWidth = 1.5;
    pen.strokeStyle = edge;
    pen.stroke();
  }

  /** A stem between a point of the relief and where the network's own value puts it. */
  stem(from, to) {
    this.line([from, to], 4, "#1d2126");
    this.line([from, to], 1.8, ORANGE);
  }

  line(points, width, colour) {
    const pen = this.pen;
    pen.beginPath();
    points.forEach(([x, y], i) => (i ? pen.lineTo(x, y) : pen.moveTo(x, y)));
    pen.lineWidth = width;
    pen.lineCap = pen.lineJoin = "round";
    pen.strokeStyle = colour;
    pen.stroke();
  }
}

const ORANGE = "#ff8c1a"; // where training stands: on no colour map of the page

function colourOf(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}
