// What the bar alone does not say: how much is clipped at either end, and how much has no finite value.

function fillLegend(view) {
  const [scale, metric] = [view.scale(), view.metric()];
  const counts = { above: 0, below: 0, unknown: 0, all: 0 };
  for (const sheet of view.shown()) {
    for (const value of sheet.values[metric.key]) {
      const level = scale.level(value);
      counts.all++;
      if (Number.isNaN(level)) counts.unknown++;
      else if (level > 1.0001) counts.above++;
      else if (level < -0.0001) counts.below++;
    }
  }
  const under = mapColour(view.colours(), 0);
  const lines = [
    [counts.above, `above ${say(scale.high)}, cut flat`, css(OVER), css(stripeOn(OVER, true))],
    [counts.below, `below ${say(scale.low)}, cut flat`, css(under), css(stripeOn(under, false))],
    [counts.unknown, "no finite value", "#d7d9de", "#9ea3ab"],
  ];
  document.getElementById("legend").replaceChildren(
    ...lines.filter(([count]) => count).map(([count, text, a, b]) => legendItem(count, counts.all, text, a, b)),
  );
  return counts;
}

function legendItem(count, all, text, colour, stripe) {
  const item = document.createElement("li");
  const swatch = document.createElement("i");
  swatch.style.setProperty("--under", stripe);
  swatch.style.setProperty("--over", colour);
  const share = (100 * count) / all;
  item.append(swatch, `${text}: ${count} of ${all} nodes (${share < 1 ? "under 1" : Math.round(share)}\u00a0%)`);
  return item;
}
