// How the surfaces were made, in a table for each.

function fillAbout(view) {
  const { xs, ys } = view.sheets[0];
  const count = view.sheets.length > 1 ? `${view.sheets.length} surfaces, ` : "";
  document.getElementById("summary").textContent = `${count}${xs.length} × ${ys.length} nodes`;
  document.getElementById("about").replaceChildren(...view.sheets.map(aboutSheet));
  const fine = matchMedia("(hover: hover)").matches ? "point at the surface to read it" : "tap the surface to read it";
  for (const sheet of view.sheets) sheet.hint = fine;
  const interpolated = view.sheets.some((sheet) => sheet.measured.includes(0));
  document.getElementById("nodes-label").hidden = !interpolated; // where all are measured, there is nothing to tell apart
}

function aboutSheet(sheet) {
  const part = document.createElement("section");
  const head = Object.assign(document.createElement("h2"), { textContent: sheet.name });
  const table = document.createElement("table");
  for (const [name, value] of Object.entries(sheet.about)) {
    const row = table.insertRow();
    const key = Object.assign(document.createElement("th"), { textContent: name, scope: "row" });
    row.append(key, Object.assign(document.createElement("td"), { textContent: value }));
  }
  part.append(head, table);
  return part;
}
