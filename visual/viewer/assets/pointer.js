// Mouse, touch and keys on one picture, as intentions: turn, zoom, read a place, go home, look from above.

/** `does`: turn(yaw, pitch), zoom(factor), read(x, y), step(columns, rows), leave(), home(), above(). */
function wirePointer(stage, does) {
  const fingers = new Map(); // pointer id → [x, y]
  let travelled = 0;
  const place = (event) => {
    const box = stage.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  const spread = () => {
    const [a, b] = [...fingers.values()];
    return Math.hypot(a[0] - b[0], a[1] - b[1]);
  };
  stage.addEventListener("pointerdown", (event) => {
    stage.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, place(event));
    travelled = 0;
    stage.classList.add("turning");
  });
  stage.addEventListener("pointermove", (event) => {
    const [x, y] = place(event);
    const before = fingers.get(event.pointerId);
    if (!before) return does.read(x, y);
    const apart = fingers.size === 2 ? spread() : 0;
    fingers.set(event.pointerId, [x, y]);
    travelled += Math.hypot(x - before[0], y - before[1]);
    if (fingers.size === 2) does.zoom(spread() / Math.max(apart, 1));
    else does.turn(-0.4 * (x - before[0]), 0.4 * (y - before[1]));
  });
  const lift = (event) => {
    if (travelled < 6 && event.type === "pointerup") does.read(...place(event)); // a tap
    fingers.delete(event.pointerId);
    stage.classList.toggle("turning", fingers.size > 0);
  };
  for (const name of ["pointerup", "pointercancel"]) stage.addEventListener(name, lift);
  stage.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && does.leave());
  stage.addEventListener("dblclick", () => does.home());
  wireWheel(stage, does);
  wireKeys(stage, does);
}

/** The wheel scrolls the page until the picture was clicked; with Ctrl (a pinch on a touch pad) it always zooms. */
function wireWheel(stage, does) {
  const turned = (event) => {
    if (document.activeElement !== stage && !event.ctrlKey) return;
    event.preventDefault();
    does.zoom(Math.exp(-0.0015 * event.deltaY));
  };
  stage.addEventListener("wheel", turned, { passive: false });
}

function wireKeys(stage, does) {
  const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
  const others = {
    "+": () => does.zoom(1.15), "=": () => does.zoom(1.15), "-": () => does.zoom(1 / 1.15),
    0: () => does.home(), t: () => does.above(), T: () => does.above(), Escape: () => does.leave(),
  };
  stage.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const arrow = arrows[event.key];
    if (!arrow && !others[event.key]) return;
    event.preventDefault();
    if (!arrow) others[event.key]();
    else if (event.shiftKey) does.step(...arrow);
    else does.turn(-6 * arrow[0], 4 * arrow[1]);
  });
}
