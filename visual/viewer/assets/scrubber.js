// The slider over the epochs of all paths, and the button that plays them.

function wireWalk(view) {
  const walks = view.sheets.flatMap(({ walk }) => walk ?? []);
  if (!walks.length) return;
  const longest = walks.reduce((a, b) => (b.path.length > a.path.length ? b : a));
  const [section, slider, name] = ["walk", "epoch", "epoch-name"].map((id) => document.getElementById(id));
  section.hidden = false;
  slider.max = longest.path.length - 1;
  const go = (epoch) => {
    slider.value = epoch;
    name.textContent = `epoch ${longest.epochs[epoch]} of ${longest.epochs.at(-1)}`;
    slider.setAttribute("aria-valuetext", name.textContent);
    view.change({ epoch });
  };
  slider.addEventListener("input", () => go(Number(slider.value)));
  wirePlay(document.getElementById("play"), slider, go);
  go(Number(slider.max));
}

/** Steps from epoch to epoch, slowly for readers who do not like motion; at the end it begins anew. */
function wirePlay(button, slider, go) {
  let timer = null;
  const label = (playing) => {
    button.textContent = playing ? "Pause" : "Play";
    button.setAttribute("aria-pressed", String(playing));
  };
  const stop = () => {
    clearInterval(timer);
    timer = null;
    label(false);
  };
  const step = () => (slider.value === slider.max ? stop() : go(Number(slider.value) + 1));
  button.addEventListener("click", () => {
    if (timer) return stop();
    if (slider.value === slider.max) go(0);
    timer = setInterval(step, matchMedia("(prefers-reduced-motion: reduce)").matches ? 900 : 250);
    label(true);
  });
}
