// What the page shows: the JSON in its data block, with arrays as base64 of little-endian numbers.

function bytes(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

function floats(text) {
  return new Float32Array(bytes(text).buffer);
}

/** Sheets with typed arrays, `values[key][row * xs.length + column]`; what is not finite is NaN. */
function readPage() {
  const page = JSON.parse(document.getElementById("data").textContent);
  for (const sheet of page.sheets) {
    for (const key of Object.keys(sheet.values)) sheet.values[key] = floats(sheet.values[key]);
    sheet.measured = bytes(sheet.measured);
    if (sheet.walk) sheet.walk.path = sheet.walk.path.map((place) => place.map((value) => value ?? NaN));
  }
  for (const name of Object.keys(page.maps)) page.maps[name] = bytes(page.maps[name]);
  return page;
}
