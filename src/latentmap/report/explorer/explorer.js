// The page as a whole: what is shown now, and what the visitor's hands change of it.

const RAMP = [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]]; // viridis, which all can tell apart
const SLOW = 30; // milliseconds of decoding, from which on it is done less often
const MOVING = 900; // milliseconds from map to map
const SETTLED = 200; // milliseconds without a move, after which the map is still
const THUMBNAILS = 220; // points in sight at most, for images to be shown in their place
const MOST_NAMED = 40; // classes: as many as colours and shapes tell apart
const SHOWN = 12; // samples in a strip
const STRANGEST = 24;

const data = JSON.parse(byId("data").textContent);
const samples = new Samples(data);
const models = data.models.map((packed) => new Model(packed));
const shape = data.models[0].facts.sample_shape;
const [low, high] = data.range ?? [0, 1];
const scatter = new Scatter(byId("points"));
const hiddenClasses = new Set();
const state = { model: models[0], colouring: data.classes ? "class" : "error", sample: -1, code: null, places: null, moved: 0, took: 0 };
const still = matchMedia("(prefers-reduced-motion: reduce)").matches;

const dark = matchMedia("(prefers-color-scheme: dark)");
/** Red, green and blue of a class's colour, which was chosen for white paper: on black, half way to white. */
const rgb = (colour) => [1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16)).map((value) => (dark.matches ? (value + 255) / 2 : value));
const hidden = (i) => samples.labels !== null && hiddenClasses.has(samples.labels[i]);
/** Beyond the colours the shape tells as well, as in the report's figures. */
const classShape = (label) => (label < 0 ? 0 : Math.floor(label / data.colours.length) % SHAPES.length);
const classColour = (label) => (label < 0 ? data.rest : data.colours[label % data.colours.length]);

/** A colour of the ramp for a share from 0 to 1. */
function ramp(share) {
  const place = Math.min(Math.max(share, 0), 1) * (RAMP.length - 1), from = Math.min(Math.floor(place), RAMP.length - 2);
  return RAMP[from].map((value, i) => value + (place - from) * (RAMP[from + 1][i] - value));
}

// ---- the map -------------------------------------------------------------------------------------------------------

let waiting = false, settling = 0;
/** Draw at the next frame; where the map moves, a large one thinner, and whole once it is still. */
function redraw({ moving = false } = {}) {
  if (moving) {
    clearTimeout(settling);
    settling = setTimeout(redraw, SETTLED);
  }
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    scatter.draw({ moving });
    drawMarks();
  });
}

/** Thumbnails where few points are in sight, and a ring around the sample that is chosen. */
function drawMarks() {
  const canvas = byId("marks"), ratio = window.devicePixelRatio || 1, { clientWidth, clientHeight } = canvas;
  [canvas.width, canvas.height] = [clientWidth * ratio, clientHeight * ratio];
  const context = canvas.getContext("2d"), { points } = scatter;
  context.scale(ratio, ratio);
  context.imageSmoothingEnabled = false;
  if (samples.isImages && samples.sheets.length) {
    const inSight = [];
    for (let i = 0; i < samples.n && inSight.length <= THUMBNAILS; i++) {
      const [left, top] = scatter.toScreen(points[2 * i], points[2 * i + 1]);
      if (left > 0 && top > 0 && left < clientWidth && top < clientHeight && !hidden(i)) inSight.push([i, left, top]);
    }
    if (inSight.length <= THUMBNAILS) {
      const size = Math.min(48, Math.max(18, Math.sqrt((clientWidth * clientHeight) / (6 * inSight.length + 1))));
      for (const [i, left, top] of inSight) {
        const [sheet, x, y, width, height] = samples.tile(i), scale = size / Math.max(width, height);
        const box = [left - (width * scale) / 2, top - (height * scale) / 2, width * scale, height * scale];
        context.drawImage(sheet, x, y, width, height, ...box);
        context.lineWidth = 2;
        context.strokeStyle = `rgb(${[...scatter.colours.subarray(4 * i, 4 * i + 3)]})`;
        context.strokeRect(...box);
      }
    }
  }
  const ring = (place, colour) => {
    const [left, top] = scatter.toScreen(...place);
    context.beginPath();
    context.arc(left, top, 10, 0, 2 * Math.PI);
    context.lineWidth = 5;
    context.strokeStyle = getComputedStyle(document.documentElement).getPropertyValue("--card");
    context.stroke();
    context.lineWidth = 2.5;
    context.strokeStyle = colour;
    context.stroke();
  };
  const ink = getComputedStyle(document.documentElement).getPropertyValue("--ink");
  if (state.line) {
    context.beginPath();
    for (const place of state.line) context.lineTo(...scatter.toScreen(...place));
    context.closePath();
    Object.assign(context, { lineWidth: 1.5, strokeStyle: ink });
    context.setLineDash([6, 4]);
    context.stroke();
    context.setLineDash([]);
  }
  if (state.walked && !byId("walk").hidden) ring(state.walked, "#d62728");
  if (state.sample >= 0) ring([points[2 * state.sample], points[2 * state.sample + 1]], ink);
  if (state.drawn) ring(state.model.place(state.drawn), "#d62728");
}

/** Show everything, and go on doing so where the window changes, until the visitor looks closer. */
function fitAll() {
  state.whole = true;
  scatter.fit(state.places.low, state.places.high, byId("legend").offsetHeight);
}

function recolour() {
  const { model, colouring } = state, colours = new Uint8Array(4 * samples.n);
  for (let i = 0; i < samples.n; i++) {
    const share = colouring === "error" ? model.rank(model.errors[i]) : colouring === "odd" ? model.odd[i] : 0;
    colours.set(colouring === "class" ? rgb(classColour(samples.labels[i])) : ramp(share), 4 * i);
    colours[4 * i + 3] = hidden(i) ? 0 : 255;
  }
  scatter.setColours(colours);
  scatter.setShapes(Uint8Array.from({ length: samples.n }, (_, i) => (colouring === "class" ? classShape(samples.labels[i]) : 0)));
  redraw();
}

/** Move every point to where it is on the map of the present model, so that the eye can follow. */
function goThere({ fit = true } = {}) {
  const { model } = state, to = model.places(), from = scatter.points;
  state.places = new Places(to);
  const before = { ...scatter.view };
  if (fit) fitAll();
  const after = { ...scatter.view };
  if (still || from.length !== to.length) {
    scatter.setPoints(to);
    redraw();
    return;
  }
  const begun = performance.now(), moved = new Float32Array(to.length), turn = ++state.moved;
  const step = (now) => {
    if (turn !== state.moved) return;
    const share = Math.min(1, (now - begun) / MOVING), eased = share * share * (3 - 2 * share);
    for (let i = 0; i < to.length; i++) moved[i] = from[i] + eased * (to[i] - from[i]);
    for (const key of ["x", "y", "scale"]) scatter.view[key] = before[key] + eased * (after[key] - before[key]);
    scatter.setPoints(share < 1 ? moved : to);
    redraw({ moving: share < 1 });
    if (share < 1) requestAnimationFrame(step);
  };
  requestAnimationFrame(step);
}

// ---- under the cursor ----------------------------------------------------------------------------------------------

/** Show what a code stands for, and beside it the nearest sample. */
function showCode(code, near, isNear) {
  const begun = performance.now(), values = state.model.network.decode(code);
  state.took = performance.now() - begun;
  state.code = code;
  byId("veil").hidden = isNear;
  if (samples.isImages) {
    paint(byId("decoded"), values, shape, low, high);
    samples.show(near, byId("nearest"));
  } else {
    const n = data.features.length, row = samples.vectors.subarray(near * n, (near + 1) * n);
    showBars(byId("bars"), data.features, values, row, featureLows, featureHighs);
  }
  const name = samples.className(near);
  byId("nearest-caption").textContent = `nearest: ${samples.name(near)}${name === null ? "" : `, ${name}`}`;
}

let featureLows = [], featureHighs = [];
function measureFeatures() {
  const n = data.features.length;
  featureLows = new Array(n).fill(Infinity);
  featureHighs = new Array(n).fill(-Infinity);
  for (let i = 0; i < samples.vectors.length; i++) {
    featureLows[i % n] = Math.min(featureLows[i % n], samples.vectors[i]);
    featureHighs[i % n] = Math.max(featureHighs[i % n], samples.vectors[i]);
  }
}

let pointed = null, rested = 0;
function point(left, top) {
  if (!pointed) requestAnimationFrame(lookUnder);
  pointed = [left, top];
}

function lookUnder(now) {
  if (now < rested) return requestAnimationFrame(lookUnder);
  const [x, y] = scatter.toPlace(...pointed), [near, distance] = state.places.nearest(x, y, hidden);
  pointed = null;
  if (near < 0) return;
  showCode(state.model.codeAt(x, y, near), near, distance <= state.places.near);
  if (state.took > SLOW) rested = performance.now() + 2 * state.took;
}

// ---- a sample ------------------------------------------------------------------------------------------------------

/** Choose a sample: show it, what the network makes of it, and its neighbours. */
function select(i) {
  if (!(i >= 0 && i < samples.n)) return;
  const { model } = state, code = model.code(i), name = samples.className(i);
  const from = state.walkFrom;
  state.walkFrom = null;
  if (from != null && from !== i) showWalk(from, i);
  state.sample = i;
  byId("sample").hidden = false;
  byId("sample-title").textContent = `${samples.name(i)}${name === null ? "" : ` · ${name}`}`;
  const values = model.network.decode(code);
  if (samples.isImages) {
    samples.show(i, byId("original"));
    paint(byId("reconstruction"), values, shape, low, high);
    const original = pixels(byId("original"), shape, low, high), span = high - low;
    paint(byId("difference"), original.map((value, j) => low + span / 2 + (values[j] - value) / 2), shape, low, high);
  }
  const rank = model.rank(model.errors[i]);
  byId("sample-facts").textContent = `error ${digits(model.errors[i])}, larger than of ${Math.round(100 * rank)} % of the samples`
    + (model.odd ? `; ${Math.round(10 * model.odd[i])} of its ten nearest codes are of other classes` : "");
  showStrip(byId("neighbours"), samples, model.neighbours(code, SHOWN, i), select);
  showSliders(code);
  showCode(Float32Array.from(code), i, true);
  byId("said").textContent = byId("sample-title").textContent;
  remember();
  redraw();
}

/** Sliders for the first ten directions, beginning at a code. */
function showSliders(start) {
  const { model } = state, host = byId("sliders"), count = Math.min(10, model.axes.length), code = Float32Array.from(start);
  host.replaceChildren(...Array.from({ length: count }, (_, d) => {
    const axis = model.axes[d], reach = 3 * model.spread[d] || 1;
    const here = axis.reduce((sum, value, j) => sum + value * (start[j] - model.center[j]), 0);
    const slider = element("input", { type: "range", min: -reach, max: reach, step: reach / 100, value: here });
    let last = here;
    slider.addEventListener("input", () => {
      for (let j = 0; j < model.k; j++) code[j] += (slider.value - last) * axis[j];
      last = Number(slider.value);
      const [near] = model.neighbours(code, 1);
      const [, distance] = state.places.nearest(...model.place(code, near));
      showCode(code, near, distance <= state.places.near);
    });
    return element("label", {}, element("span", { text: `${d + 1}` }), slider);
  }));
}

/** From a sample to the nearest on the map in a direction. */
function step(dx, dy) {
  const { points } = scatter;
  let best = -1, least = Infinity;
  if (state.sample < 0) return select(state.places.nearest(scatter.view.x, scatter.view.y, hidden)[0]);
  for (let i = 0; i < samples.n; i++) {
    const x = points[2 * i] - points[2 * state.sample], y = points[2 * i + 1] - points[2 * state.sample + 1];
    const along = x * dx + y * dy, across = Math.abs(x * dy - y * dx);
    if (along > 1e-9 && across <= along && along + across < least && !hidden(i)) [best, least] = [i, along + across];
  }
  if (best >= 0) select(best);
}

function find(text) {
  const wanted = text.trim().toLowerCase();
  if (!wanted) return;
  const matches = (i) => String(samples.rows[i]) === wanted || samples.name(i).toLowerCase() === wanted;
  const loosely = (i) => samples.className(i)?.toLowerCase() === wanted || samples.name(i).toLowerCase().includes(wanted);
  for (const rule of [matches, loosely]) {
    for (let i = 1; i <= samples.n; i++) {
      const j = (state.sample + i + samples.n) % samples.n;
      if (rule(j)) return select(j);
    }
  }
  byId("said").textContent = `nothing is called ${text}`;
}

// ---- controls ------------------------------------------------------------------------------------------------------

function showLegend() {
  const host = byId("legend");
  if (state.colouring !== "class") {
    const bar = element("canvas", { width: 120, height: 10 }), context = bar.getContext("2d");
    for (let x = 0; x < 120; x++) {
      context.fillStyle = `rgb(${ramp(x / 119)})`;
      context.fillRect(x, 0, 1, 10);
    }
    const [least, most] = state.colouring === "error" ? ["drawn best", "worst"] : ["neighbours agree", "none of them"];
    host.replaceChildren(element("span", {}, least, bar, most));
    return;
  }
  const shown = largestClasses();
  host.replaceChildren(...shown.map((label) => {
    const name = data.classes[label];
    const dot = element("i", { className: SHAPES[classShape(label)] }), button = element("button", { type: "button", title: `${name}: hide or show; with Shift, this one alone` }, dot, name);
    dot.style.background = `rgb(${rgb(classColour(label))})`;
    button.setAttribute("aria-pressed", String(!hiddenClasses.has(label)));
    button.addEventListener("click", (event) => {
      if (event.shiftKey) data.classes.forEach((_, other) => (other === label ? hiddenClasses.delete(other) : hiddenClasses.add(other)));
      else if (!hiddenClasses.delete(label)) hiddenClasses.add(label);
      showLegend();
      recolour();
    });
    return button;
  }), ...(shown.length < data.classes.length ? [element("span", { text: `${data.classes.length - shown.length} more` })] : []));
}

/** The classes that the legend names: all of few, else those with the most samples, in their own order. */
function largestClasses() {
  const counts = new Array(data.classes.length).fill(0);
  for (const label of samples.labels) if (label >= 0) counts[label] += 1;
  const order = [...counts.keys()].sort((a, b) => counts[b] - counts[a] || a - b);
  return order.slice(0, MOST_NAMED).sort((a, b) => a - b);
}

function fillSelect(host, options, chosen, changed) {
  host.replaceChildren(...options.map(([value, text]) => element("option", { value, text, selected: value === chosen })));
  host.onchange = () => changed(host.value);
}

function showAxes() {
  const { model } = state, options = model.directions.map(({ name }, i) => [String(i), name]);
  byId("axes-label").hidden = model.k <= 2;
  for (const [axis, id] of ["across", "up"].entries()) {
    fillSelect(byId(id), options, String(model.plane[axis]), (value) => {
      model.plane[axis] = Number(value);
      goThere();
    });
  }
}

function useModel(model) {
  Object.assign(state, { model, drawn: null, line: null, walked: null, walkFrom: null });
  byId("walk").hidden = byId("selection").hidden = true;
  byId("layout").value = String(models.indexOf(model));
  showAxes();
  goThere();
  recolour();
  showStrip(byId("strangest"), samples, [...model.errors.keys()].sort((a, b) => model.errors[b] - model.errors[a]).slice(0, STRANGEST), select);
  showFacts(byId("made"), { ...data.made, model: model.name, "numbers a code": model.k, "samples shown": samples.n });
  if (state.sample >= 0) select(state.sample);
}

/** What is shown, as the end of the address. */
function remember() {
  const { view } = scatter, rounded = [view.x, view.y, view.scale].map((value) => +value.toPrecision(5));
  const parts = new URLSearchParams({ map: state.model.name, view: rounded.join(",") });
  if (state.sample >= 0) parts.set("sample", samples.rows[state.sample]);
  try {
    history.replaceState(null, "", `#${parts}`);
  } catch { /* in a frame without an address of its own */ }
}

function recall() {
  const parts = new URLSearchParams(location.hash.slice(1)), model = models.find(({ name }) => name === parts.get("map"));
  if (model && model !== state.model) useModel(model);
  const view = (parts.get("view") ?? "").split(",").map(Number), sample = samples.rows.indexOf(Number(parts.get("sample") ?? -1));
  if (view.length === 3 && view.every(Number.isFinite) && view[2] > 0) {
    Object.assign(scatter.view, { x: view[0], y: view[1], scale: view[2] });
    state.whole = false;
  }
  if (sample >= 0) select(sample);
  redraw();
}

function listen() {
  const canvas = byId("points"), fingers = new Map();
  let dragged = 0, line = null;
  byId("walk-on").addEventListener("click", () => {
    state.walkFrom = state.sample;
    byId("hint").hidden = false;
    byId("hint").textContent = byId("said").textContent = "Choose the sample to walk to.";
  });
  const at = (event) => {
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, at(event));
    dragged = 0;
    line = event.shiftKey ? [scatter.toPlace(...at(event))] : null;
  });
  canvas.addEventListener("pointermove", (event) => {
    const now = at(event), before = fingers.get(event.pointerId);
    if (before && line) {
      line.push(scatter.toPlace(...now));
      state.line = line;
      redraw();
    } else if (before) {
      const others = [...fingers].filter(([id]) => id !== event.pointerId);
      if (others.length) {
        const [, [x, y]] = others[0], spread = ([left, top]) => Math.hypot(left - x, top - y) || 1;
        scatter.zoom(spread(now) / spread(before), (x + now[0]) / 2, (y + now[1]) / 2);
      }
      scatter.view.x -= (now[0] - before[0]) / scatter.view.scale / (others.length + 1);
      scatter.view.y += (now[1] - before[1]) / scatter.view.scale / (others.length + 1);
      dragged += Math.hypot(now[0] - before[0], now[1] - before[1]);
      fingers.set(event.pointerId, now);
      state.whole = false;
      redraw({ moving: true });
    }
    if (!before || event.pointerType !== "mouse") point(...now);
  });
  const lift = (event) => {
    if (line) {
      fingers.delete(event.pointerId);
      showSelection(line);
      line = null;
    } else if (fingers.delete(event.pointerId) && dragged < 4 && event.type === "pointerup") {
      const [near] = state.places.nearest(...scatter.toPlace(...at(event)), hidden);
      select(near);
    } else if (dragged) remember();
  };
  canvas.addEventListener("pointerup", lift);
  canvas.addEventListener("pointercancel", lift);
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    state.whole = false;
    scatter.zoom(Math.exp(-event.deltaY / (event.deltaMode ? 20 : 400)), ...at(event));
    redraw({ moving: true });
  }, { passive: false });
  canvas.addEventListener("keydown", (event) => {
    const middle = [canvas.clientWidth / 2, canvas.clientHeight / 2];
    const keys = {
      ArrowLeft: () => step(-1, 0), ArrowRight: () => step(1, 0), ArrowUp: () => step(0, 1), ArrowDown: () => step(0, -1),
      "+": () => scatter.zoom(1.4, ...middle), "=": () => scatter.zoom(1.4, ...middle), "-": () => scatter.zoom(1 / 1.4, ...middle),
      0: () => fitAll(),
    };
    if (!Object.hasOwn(keys, event.key)) return;
    event.preventDefault();
    if (["+", "=", "-"].includes(event.key)) state.whole = false;
    keys[event.key]();
    redraw();
  });
  byId("fit").addEventListener("click", () => {
    fitAll();
    remember();
    redraw();
  });
  byId("find").addEventListener("keydown", (event) => {
    if (event.key === "Enter") find(event.target.value);
  });
  new ResizeObserver(() => {
    scatter.resize();
    if (state.whole) fitAll();
    redraw();
  }).observe(canvas);
  addEventListener("hashchange", recall);
  dark.addEventListener("change", () => {
    showLegend();
    recolour();
  });
}

async function begin() {
  await samples.load();
  if (!samples.isImages) {
    for (const part of document.querySelectorAll(".pair, .triple")) part.hidden = true;
    byId("bars").before(byId("nearest-caption"), byId("veil"));
    measureFeatures();
  }
  byId("about").textContent = `${samples.n.toLocaleString("en")}${samples.n < data.of ? ` of ${data.of.toLocaleString("en")}, evenly chosen,` : ""} samples as codes`;
  fillSelect(byId("layout"), models.map(({ name }, i) => [String(i), name]), "0", (value) => {
    useModel(models[Number(value)]);
    remember();
  });
  byId("layout").parentElement.hidden = models.length < 2;
  const colourings = [["class", "class"], ["error", "error"], ["odd", "neighbours disagree"]].filter(([value]) => value === "error" || data.classes);
  fillSelect(byId("colouring"), colourings, state.colouring, (value) => {
    state.colouring = value;
    showLegend();
    recolour();
  });
  byId("colouring").parentElement.hidden = colourings.length < 2;
  scatter.resize();
  showLegend();
  useModel(models[0]);
  listen();
  preparePad();
  recall();
  const first = state.sample >= 0 ? state.sample : 0;
  showCode(Float32Array.from(state.model.code(first)), first, true);
  const hints = ["Move over the map: the network decodes what is there.", "Click a point to see its sample; scroll to come nearer; drag with Shift around some to select them.", samples.isImages ? "Draw an image of your own, or drop a file, and see where it lands." : "Click a class below to hide it."];
  const hint = byId("hint");
  hint.textContent = hints.shift();
  byId("points").addEventListener("pointerup", () => {
    hint.textContent = hints.shift() ?? "";
    hint.hidden = !hint.textContent;
  });
}

window.latentmap = {
  ready: begin(),
  encode: (values) => state.model.network.encode(values),
  decode: (code) => state.model.network.decode(code),
  select,
  get sample() {
    return state.sample;
  },
  get view() {
    return { ...scatter.view };
  },
};
