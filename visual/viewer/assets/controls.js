// The controls below the pictures, wired to the view.

function wireControls(view) {
  const find = (id) => document.getElementById(id);
  wireMetrics(view);
  wireBar(view, (low, high) => view.setScale({ low, high }));
  find("log").addEventListener("change", (event) => view.setScale({ log: event.target.checked }));
  find("map").append(...Object.keys(view.maps).map((name) => new Option(name, name)));
  find("map").addEventListener("change", (event) => view.change({ map: event.target.value }));
  find("reset").addEventListener("click", () => view.fly(view.panels, HOME));
  find("above").addEventListener("click", () => view.fly(view.panels, ABOVE));
  find("linked").addEventListener("change", (event) => linkCameras(view, event.target.checked));
  find("nodes").addEventListener("change", (event) => view.change({ nodes: event.target.checked }));
  find("linked-label").hidden = view.panels.length < 2;
  for (const panel of view.panels) {
    wirePanel(view, panel);
    if (view.sheets.length > view.panels.length) wireChoice(view, panel);
  }
  wireWalk(view);
}

function wireMetrics(view) {
  const log = document.getElementById("log");
  const choose = (key) => {
    view.change({ key });
    log.checked = view.ends[key].log;
    log.disabled = !(view.metric().least > 0);
    log.parentElement.title = log.disabled ? "needs values above zero" : "";
  };
  for (const { key, label } of view.metrics) {
    const input = Object.assign(document.createElement("input"), { type: "radio", name: "metric", value: key });
    input.checked = key === view.key;
    input.addEventListener("change", () => choose(key));
    const line = document.createElement("label");
    line.append(input, label);
    document.getElementById("metrics").append(line);
  }
  choose(view.key);
}

function linkCameras(view, linked) {
  view.change({ linked });
  if (linked) view.move(view.panels[0], () => {});
}

function wirePanel(view, panel) {
  const those = () => (view.linked ? view.panels : [panel]);
  wirePointer(panel.stage, {
    turn: (yaw, pitch) => view.move(panel, (camera) => camera.turn(yaw, pitch)),
    zoom: (factor) => view.move(panel, (camera) => camera.closer(factor)),
    home: () => view.fly(those(), HOME),
    above: () => view.fly(those(), ABOVE),
    read: (x, y) => view.change({ probe: panel.pick(x, y) }),
    leave: () => view.change({ probe: null }),
    step: (columns, rows) => {
      const { xs, ys } = panel.sheet;
      const [x, y] = view.probe ?? [0, 0];
      const column = between(0, nearest(xs, x) + columns, xs.length - 1);
      view.change({ probe: [xs[column], ys[between(0, nearest(ys, y) + rows, ys.length - 1)]] });
    },
  });
}

/** More sheets than panels: each panel's name becomes a choice. */
function wireChoice(view, panel) {
  const select = document.createElement("select");
  select.setAttribute("aria-label", `Surface of picture ${panel.number + 1}`);
  select.append(...view.sheets.map(({ name }, i) => new Option(name, i)));
  select.value = view.chosen[panel.number];
  select.addEventListener("change", () => {
    view.change({ chosen: view.chosen.map((old, i) => (i === panel.number ? Number(select.value) : old)) });
    panel.step.hidden = true;
  });
  panel.name.replaceChildren(select);
}
