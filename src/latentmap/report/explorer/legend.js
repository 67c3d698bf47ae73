// What colours and shapes mean, and which samples are hidden.

const RAMP = [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]]; // viridis, which all can tell apart
const MOST_NAMED = 40; // classes: as many as colours and shapes tell apart
const hiddenClasses = new Set();

const dark = matchMedia("(prefers-color-scheme: dark)");
/** A colour chosen for white paper; on black, half way to white. */
const lightened = (colour) => colour.map((value) => (dark.matches ? (value + 255) / 2 : value));
/** Red, green and blue of a class's colour. */
const rgb = (colour) => lightened([1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16)));
const hidden = (i) => (samples.labels !== null && hiddenClasses.has(samples.labels[i])) || !state.model.shows(i);
/** Beyond the colours the shape tells as well, as in the report's figures. */
const classShape = (label) => (label < 0 ? 0 : Math.floor(label / data.colours.length) % SHAPES.length);
const classColour = (label) => (label < 0 ? data.rest : data.colours[label % data.colours.length]);

/** A colour of the ramp for a share from 0 to 1. */
function ramp(share) {
  const place = Math.min(Math.max(share, 0), 1) * (RAMP.length - 1), from = Math.min(Math.floor(place), RAMP.length - 2);
  return lightened(RAMP[from].map((value, i) => value + (place - from) * (RAMP[from + 1][i] - value)));
}

/** A date, given as a year with what is gone of it: to the day, or to so many letters of that. */
function dated(value, letters) {
  const year = Math.floor(value), begun = Date.UTC(year, 0);
  // Half a second, for midnight is not to come out as the day before.
  return new Date(begun + (value - year) * (Date.UTC(year + 1, 0) - begun) + 500).toISOString().slice(0, letters).replace("T", " ");
}

/** An end of the scale of what colours: of dates the year, of few years the month too. */
function measuredEnd(value) {
  const [least, most] = data.values.range, span = most - least;
  return data.values.dated && span > 0.25 ? dated(value, span >= 3 ? 4 : 7) : measured(value);
}

/** A number that colours, with as many digits as tell it from the others, or a date. */
function measured(value) {
  if (data.values.dated) return dated(value, data.values.dated);
  const [least, most] = data.values.range, digitsOfRange = Math.floor(Math.log10(Math.max(Math.abs(least), Math.abs(most)) / (most - least)));
  return digitsOfRange > 0 ? value.toLocaleString("en", { maximumSignificantDigits: Math.min(digitsOfRange + 3, 17) }) : digits(value);
}

/** A sample's colour, by what colours mean now. */
function colourOf(i) {
  const { model, colouring } = state;
  if (colouring === "class") return rgb(classColour(samples.labels[i]));
  if (colouring === "error") return ramp(model.rank(model.errors[i]));
  if (colouring === "odd") return ramp(model.odd[i]);
  const [least, most] = data.values.range;
  return Number.isFinite(samples.numbers[i]) ? ramp((samples.numbers[i] - least) / (most - least)) : rgb(data.rest);
}

function recolour() {
  const { colouring } = state, colours = new Uint8Array(4 * samples.n);
  for (let i = 0; i < samples.n; i++) {
    colours.set(colourOf(i), 4 * i);
    colours[4 * i + 3] = hidden(i) ? 0 : 255;
  }
  scatter.setColours(colours);
  scatter.setShapes(Uint8Array.from({ length: samples.n }, (_, i) => (colouring === "class" ? classShape(samples.labels[i]) : 0)));
  redraw();
}

function showLegend() {
  const host = byId("legend"), focused = [...host.children].indexOf(document.activeElement);
  fillLegend(host);
  if (hiddenClasses.size) {
    const all = element("button", { type: "button", text: "show all" });
    all.addEventListener("click", () => {
      hiddenClasses.clear();
      showLegend();
      recolour();
    });
    host.append(all);
  }
  if (focused >= 0) host.children[Math.min(focused, host.children.length - 1)].focus();
}

function fillLegend(host) {
  if (state.colouring !== "class") {
    const bar = element("canvas", { width: 120, height: 10 }), context = bar.getContext("2d");
    for (let x = 0; x < 120; x++) {
      context.fillStyle = `rgb(${ramp(x / 119)})`;
      context.fillRect(x, 0, 1, 10);
    }
    const [least, most] = { error: ["drawn best", "worst"], odd: ["neighbours agree", "none of them"] }[state.colouring] ?? data.values.range.map(measuredEnd);
    host.replaceChildren(element("span", {}, least, bar, most));
    return;
  }
  const nameless = samples.labels.some((label) => label < 0) ? [-1] : [], all = [...data.classes.keys(), ...nameless];
  const shown = [...largestClasses(), ...nameless];
  host.replaceChildren(...shown.map((label) => {
    const name = data.classes[label] ?? "(no label)";
    const dot = element("i", { className: SHAPES[classShape(label)] }), button = element("button", { type: "button", title: `${name}: hide or show; with Shift, this one alone` }, dot, data.short[label] ?? name);
    dot.style.background = `rgb(${rgb(classColour(label))})`;
    button.setAttribute("aria-pressed", String(!hiddenClasses.has(label)));
    button.addEventListener("click", (event) => {
      const isAlone = !hiddenClasses.has(label) && hiddenClasses.size === all.length - 1;
      if (event.shiftKey && isAlone) hiddenClasses.clear();
      else if (event.shiftKey) all.forEach((other) => (other === label ? hiddenClasses.delete(other) : hiddenClasses.add(other)));
      else if (!hiddenClasses.delete(label)) hiddenClasses.add(label);
      showLegend();
      recolour();
    });
    return button;
  }), ...(shown.length < all.length ? [element("span", { text: `${all.length - shown.length} more` })] : []));
}

/** The classes that the legend names: all of few, else those with the most samples, in their own order. */
function largestClasses() {
  const counts = new Array(data.classes.length).fill(0);
  for (const label of samples.labels) if (label >= 0) counts[label] += 1;
  const order = [...counts.keys()].sort((a, b) => counts[b] - counts[a] || a - b);
  return order.slice(0, MOST_NAMED).sort((a, b) => a - b);
}
