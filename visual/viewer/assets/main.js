// Reads the page, builds the view, and draws whenever something changed.

const view = new View(readPage());
fillAbout(view);
wireControls(view);
new ResizeObserver(() => {
  view.resized = true;
  view.schedule();
}).observe(document.getElementById("panels"));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  view.resized = true;
  view.schedule();
});
view.draw();
if (location.hash.startsWith("#selftest")) selfTest(view);
