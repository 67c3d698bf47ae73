// Samples within a line that the visitor draws around them.

const MOST_AVERAGED = 500; // samples whose mean is shown

/** Whether a place lies within a polygon: how often a ray from it crosses the line. */
function within([x, y], line) {
  let inside = false;
  for (let i = 0, j = line.length - 1; i < line.length; j = i++) {
    const [ax, ay] = line[i], [bx, by] = line[j];
    if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) inside = !inside;
  }
  return inside;
}

/** Rows as text that spreadsheets and pandas read; a cell that a spreadsheet would compute is text to it. */
function csv(rows) {
  const cell = (value) => {
    const text = typeof value === "string" && /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value);
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return rows.map((row) => row.map(cell).join(",") + "\n").join("");
}

/** How many samples of each class there are, the most first. */
function counted(samples, numbers) {
  const counts = new Map();
  for (const i of numbers) counts.set(samples.className(i), (counts.get(samples.className(i)) ?? 0) + 1);
  return [...counts].sort((one, other) => other[1] - one[1]);
}

/** The mean of samples, value by value; `read` gives one of them. */
function meanOf(numbers, read) {
  const sum = Float64Array.from(read(numbers[0]));
  for (const i of numbers.slice(1)) read(i).forEach((value, j) => (sum[j] += value));
  return sum.map((value) => value / numbers.length);
}

/** The median of codes, number by number. */
function medianCode(model, numbers) {
  return Float32Array.from({ length: model.k }, (_, j) => {
    const values = numbers.map((i) => model.code(i)[j]).sort((a, b) => a - b), middle = values.length >> 1;
    return values.length % 2 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
  });
}

/** Hand text to the visitor as a file. */
function download(name, text) {
  const link = element("a", { href: URL.createObjectURL(new Blob([text], { type: "text/csv" })), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

/** Tell of the samples within a line, given as places of the map. */
function showSelection(line) {
  const { model } = state, { points } = scatter, chosen = [];
  for (let i = 0; i < samples.n; i++) if (!hidden(i) && within([points[2 * i], points[2 * i + 1]], line)) chosen.push(i);
  state.line = chosen.length ? line : null;
  byId("selection").hidden = !chosen.length;
  say(chosen.length ? "" : "No sample lies within that line.");
  redraw();
  if (!chosen.length) return;
  byId("said").textContent = `${chosen.length} selected`;
  byId("selection-title").textContent = `${chosen.length.toLocaleString("en")} selected`;
  if (samples.isImages) {
    const tile = element("canvas"), some = chosen.filter((_, i) => i % Math.ceil(chosen.length / MOST_AVERAGED) === 0);
    const original = (i) => {
      samples.show(i, tile);
      return pixels(tile, shape, low, high);
    };
    paint(byId("mean"), meanOf(some, original), shape, low, high);
    paint(byId("median"), model.network.decode(medianCode(model, chosen)), shape, low, high);
  } else showBars(byId("selection-bars"), model.network.decode(medianCode(model, chosen)), meanOf(chosen, (i) => samples.values(i)), "their mean");
  const error = chosen.reduce((sum, i) => sum + model.errors[i], 0) / chosen.length;
  const most = chosen.reduce((soFar, i) => Math.max(soFar, model.errors[i]), 0), counts = samples.labels ? counted(samples, chosen) : [];
  const classes = counts.slice(0, 5).map(([name, n]) => `${n} × ${name}`).join(", ") + (counts.length > 5 ? ` and ${counts.length - 5} classes more` : "");
  const numbers = samples.numbers ? chosen.map((i) => samples.numbers[i]).filter(Number.isFinite) : [];
  const number = numbers.length ? `${data.values.name} ${measured(numbers.reduce((sum, one) => sum + one / numbers.length, 0))} on average; ` : "";
  byId("selection-facts").textContent = `${classes && `${classes}; `}${number}error ${digits(error)} on average, ${digits(most)} at most`
    + (samples.isImages ? "" : ". Bars: the decoded median of their codes; lines: their mean");
  byId("selection").scrollIntoView({ block: "nearest" });
  byId("download").onclick = () => download("selection.csv", csv([
    ["row", "name", samples.numbers ? data.values.name : "class", "error", ...(data.features ?? []), ...Array.from({ length: model.k }, (_, j) => `z${j}`)],
    ...chosen.map((i) => [samples.rows[i], data.names ? samples.name(i) : "", samples.className(i) ?? samples.numbers?.[i] ?? "", model.errors[i], ...(data.features ? samples.values(i) : []), ...model.code(i)]),
  ]));
}

function leaveSelection() {
  state.line = null;
  byId("selection").hidden = true;
}
