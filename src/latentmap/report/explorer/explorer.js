// The page as a whole: what is shown now, and what the visitor's hands change of it.

const SLOW = 30; // milliseconds of decoding, from which on it is done less often
const MOVING = 900; // milliseconds from map to map
const SETTLED = 200; // milliseconds without a move, after which the map is still
const THUMBNAILS = 220; // points in sight at most, for images to be shown in their place
const SHOWN = 12; // samples in a strip
const STRANGEST = 24;

const data = JSON.parse(byId("data").textContent);
const samples = new Samples(data);
const models = data.models.map((packed) => new Model(packed));
const shape = data.models[0].facts.sample_shape;
const [low, high] = data.range ?? [0, 1];
const scatter = new Scatter(byId("points"));
const state = { model: models[0], colouring: data.classes ? "class" : data.values ? "value" : "error", tool: "move", sample: -1, code: null, places: null, moved: 0, took: 0 };
const still = matchMedia("(prefers-reduced-motion: reduce)").matches;

// ---- the map -------------------------------------------------------------------------------------------------------

let waiting = false, settling = 0;
/** Draw at the next frame; where the map moves, a large one thinner, and whole once it is still. */
function redraw({ moving = false } = {}) {
  if (moving) {
    clearTimeout(settling);
    settling = setTimeout(() => {
      redraw();
      if (!state.isPlaying) remember();
    }, SETTLED);
  }
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    scatter.draw({ moving });
    if (byId("density-on").checked) drawDensity(byId("density"), scatter.points, hidden, (x, y) => scatter.toScreen(x, y));
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
  Object.assign(context, { lineWidth: 1.5, strokeStyle: ink });
  for (const [line, isClosed] of [[state.line, true], [state.path, false]]) {
    if (!line) continue;
    context.beginPath();
    for (const place of line) context.lineTo(...scatter.toScreen(...place));
    if (isClosed) context.closePath();
    context.setLineDash(isClosed ? [6, 4] : []);
    context.stroke();
  }
  context.setLineDash([]);
  if (state.walked) ring(state.walked, "#d62728");
  if (state.sample >= 0 && state.model.shows(state.sample)) ring([points[2 * state.sample], points[2 * state.sample + 1]], ink);
  if (state.drawn) ring(state.model.place(state.drawn), "#d62728");
}

/** Show everything but what is far out, which zooming out reaches, and go on doing so where the window changes, until the visitor looks closer. */
function fitAll() {
  state.whole = true;
  const { low, high, middle } = state.places;
  scatter.fit(...middle, byId("legend").offsetHeight);
  scatter.least /= Math.max(...[0, 1].map((axis) => (high[axis] - low[axis]) / (middle[1][axis] - middle[0][axis] || Infinity) || 1));
}

/** Show the present model's map, in the plane or the layout that is chosen. */
function useLayout({ moving = true } = {}) {
  const { model } = state;
  model.fixed = model.byTsne ? model.tsne : null;
  state.isPlaying = false;
  state.line = null;
  leaveWalk();
  sayWhatIsDecoded();
  recolour();
  goThere({ moving });
}

/** Say something where it is seen and heard. */
function say(text) {
  byId("hint").hidden = !text;
  byId("hint").textContent = byId("said").textContent = text;
}

/** Where a place of the map has no code of its own, say what is decoded instead. */
function sayWhatIsDecoded() {
  byId("shadow").hidden = !state.model.fixed;
  byId("shadow").textContent = state.isPlaying
    ? "The network here is the trained one: under the cursor it decodes the nearest sample's code as it came to be."
    : "t-SNE knows no way back from a place to a code: what is decoded under the cursor is the nearest sample's code.";
  const { n } = samples, shown = state.model.fixed ? state.model.fixed.there.reduce((sum, one) => sum + one, 0) : n;
  const count = (value) => value.toLocaleString("en");
  byId("about").textContent = `${shown < n ? `${count(shown)} of ` : ""}${count(n)}${n < data.of ? ` of ${count(data.of)}, evenly chosen,` : ""} samples as codes`;
}

/** Move every point to where it is on the map of the present model, so that the eye can follow. */
function goThere({ moving = true } = {}) {
  const { model } = state, to = model.places(), from = scatter.points;
  state.places = new Places(to, (i) => model.shows(i));
  const before = { ...scatter.view };
  fitAll();
  const [least, most] = state.places.middle, isOut = (i) => [0, 1].some((axis) => to[2 * i + axis] < least[axis] || to[2 * i + axis] > most[axis]);
  const outside = state.places.rows.filter(isOut).length;
  if (outside) byId("about").textContent += `, ${outside} outside: zoom out`;
  const after = { ...scatter.view };
  state.moved += 1;
  if (still || !moving || from.length !== to.length) {
    scatter.setPoints(to);
    redraw();
    lookAgain();
    return;
  }
  const begun = performance.now(), moved = new Float32Array(to.length), turn = state.moved;
  const step = (now) => {
    if (turn !== state.moved) return;
    const share = Math.min(1, (now - begun) / MOVING), eased = share * share * (3 - 2 * share);
    for (let i = 0; i < to.length; i++) moved[i] = from[i] + eased * (to[i] - from[i]);
    for (const key of state.whole ? ["x", "y", "scale"] : []) scatter.view[key] = before[key] + eased * (after[key] - before[key]);
    scatter.setPoints(share < 1 ? moved : to);
    redraw({ moving: share < 1 });
    if (share < 1) requestAnimationFrame(step);
    else lookAgain();
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
    showBars(byId("bars"), values, samples.values(near), "nearest sample");
  }
  byId("nearest-caption").textContent = `nearest: ${samples.title(near)}`;
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

let pointed = null, looked = null, rested = 0;
function point(left, top) {
  if (!pointed) requestAnimationFrame(lookUnder);
  pointed = [left, top];
}

/** What is under the cursor now that the map is another: until it moves, or the first sample where it never did. */
function lookAgain() {
  if (looked) point(...looked);
  else if (state.sample < 0) showCode(Float32Array.from(state.model.code(0)), 0, true);
}

function lookUnder(now) {
  if (now < rested) return requestAnimationFrame(lookUnder);
  const [x, y] = scatter.toPlace(...pointed), [near, distance] = state.places.nearest(x, y, hidden);
  looked = pointed;
  pointed = null;
  if (near < 0) return;
  showCode(state.model.moved(state.model.code(near), [x, y], near), near, distance <= state.places.near);
  if (state.took > SLOW) rested = performance.now() + 2 * state.took;
}

// ---- controls ------------------------------------------------------------------------------------------------------

function fillSelect(host, options, chosen, changed) {
  host.replaceChildren(...options.map(([value, text]) => element("option", { value, text, selected: value === chosen })));
  host.onchange = () => changed(host.value);
}

function showAxes() {
  const { model } = state, options = model.directions.map(({ name }, i) => [String(i), name]);
  const layouts = model.tsne ? [["tsne", "t-SNE"]] : [];
  byId("axes-label").hidden = model.k <= 2 && !model.tsne;
  byId("up").hidden = Boolean(model.byTsne);
  fillSelect(byId("across"), [...options, ...layouts], model.byTsne ? "tsne" : String(model.plane[0]), (value) => {
    model.byTsne = value === "tsne";
    if (!model.byTsne) model.plane[0] = Number(value);
    byId("up").hidden = model.byTsne;
    useLayout();
    showFilm();
    remember();
  });
  fillSelect(byId("up"), options, String(model.plane[1]), (value) => {
    model.plane[1] = Number(value);
    useLayout();
    showFilm();
    remember();
  });
}

function useModel(model, { moving = true } = {}) {
  Object.assign(state, { model, drawn: null });
  byId("selection").hidden = true;
  say("");
  byId("layout").value = String(models.indexOf(model));
  showAxes();
  useLayout({ moving });
  showFilm();
  showStrangest();
  const merits = Object.fromEntries(Object.entries(model.merits).map(([name, value]) => [name, digits(value)]));
  showFacts(byId("made"), { ...data.made, model: model.name, "numbers a code": model.k, ...merits, "samples shown": samples.n });
  if (state.sample >= 0) select(state.sample, { seek: false });
  if (state.landed) land(state.landed); // the same image under another model
}

/** Those drawn worst or, where neighbours are looked at, those whose class is that of the fewest of theirs. */
function showStrangest() {
  const { errors, odd } = state.model, byOdd = state.colouring === "odd", by = byOdd ? odd : errors;
  byId("strangest-title").textContent = byOdd ? "Likely mislabelled" : "Strangest samples";
  byId("strangest-note").textContent = byOdd ? "those whose nearest codes are of other classes" : "those that the network draws worst";
  const order = [...errors.keys()].sort((a, b) => by[b] - by[a] || errors[b] - errors[a]);
  showStrip(byId("strangest"), samples, order.slice(0, STRANGEST), select);
}

/** What is shown, as the end of the address. */
function remember() {
  if (state.isRecalling) return; // what is halfway there is no address
  const { view } = scatter, rounded = [view.x, view.y, view.scale].map((value) => +value.toPrecision(5));
  const { model } = state, parts = new URLSearchParams({ map: model.name, view: rounded.join(",") });
  if (model.k > 2) parts.set("axes", model.byTsne ? "tsne" : model.plane.join(","));
  if (state.sample >= 0) parts.set("sample", samples.rows[state.sample]);
  try {
    history.replaceState(null, "", `#${parts}`);
  } catch { /* in a frame without an address of its own */ }
}

function recall() {
  const parts = new URLSearchParams(location.hash.slice(1)), model = models.find(({ name }) => name === parts.get("map"));
  const axes = (parts.get("axes") ?? "").split(","), plane = axes.map(Number);
  state.isRecalling = true;
  if (model) {
    model.byTsne = axes[0] === "tsne" && Boolean(model.tsne);
    if (plane.length === 2 && plane.every((axis) => axis in model.directions)) model.plane = plane;
    if (model !== state.model || model.k > 2) useModel(model, { moving: false });
  }
  const view = (parts.get("view") ?? "").split(",").map(Number), sample = samples.rows.indexOf(Number(parts.get("sample") ?? -1));
  if (view.length === 3 && view.every(Number.isFinite) && view[2] > 0) {
    Object.assign(scatter.view, { x: view[0], y: view[1], scale: view[2] });
    state.whole = false;
  }
  state.isRecalling = false;
  if (sample >= 0) select(sample, { seek: view.length !== 3 });
  redraw();
}

async function begin() {
  await samples.load();
  if (!samples.isImages) {
    for (const part of document.querySelectorAll(".pair, .triple")) part.hidden = true;
    byId("bars").before(byId("nearest-caption"), byId("veil"));
    measureFeatures();
  }
  fillSelect(byId("layout"), models.map(({ name }, i) => [String(i), name]), "0", (value) => {
    useModel(models[Number(value)]);
    remember();
  });
  byId("layout").parentElement.hidden = models.length < 2;
  const colourings = [
    ...(data.classes ? [["class", "class"]] : []), ...(data.values ? [["value", data.values.name]] : []),
    ["error", data.values?.name === "error" ? "error of the network" : "error"], ...(data.classes ? [["odd", "neighbours disagree"]] : []),
  ];
  fillSelect(byId("colouring"), colourings, state.colouring, (value) => {
    state.colouring = value;
    showStrangest();
    showLegend();
    recolour();
  });
  byId("colouring").parentElement.hidden = colourings.length < 2;
  byId("density-on").addEventListener("change", () => {
    byId("density").hidden = !byId("density-on").checked;
    redraw();
  });
  preparePlayer(byId("scrub"), byId("play-walk"), () => WALKING);
  preparePlayer(byId("epoch"), byId("play-training"), () => Math.min(LONGEST, EPOCH * state.model.frames.length));
  scatter.resize();
  showLegend();
  useModel(models[0]);
  listen();
  preparePad();
  recall();
  const touched = matchMedia("(hover: none)").matches;
  const hints = [touched ? "Draw a finger over the map: the network decodes what is there. Two fingers move and zoom it." : "Move over the map: the network decodes what is there.", "Click a point to see its sample; scroll to come nearer; choose Select to draw around some, Walk to draw a way through the codes.", ...(samples.isImages ? ["Draw an image of your own, or drop a file, and see where it lands."] : data.classes ? ["Click a class below to hide it."] : [])];
  const hint = byId("hint");
  hint.textContent = hints.shift();
  hint.hidden = false;
  byId("points").addEventListener("pointerup", () => {
    hint.textContent = hints.shift() ?? "";
    hint.hidden = !hint.textContent;
  });
}

/** Refuse what isn't as many numbers as are wanted. */
function whole(values, wanted, what) {
  if (values?.length !== wanted) throw new RangeError(`${what} must be ${wanted} numbers, got ${values?.length ?? typeof values}`);
  return values;
}

window.latentmap = {
  ready: begin(),
  encode: (values) => state.model.network.encode(whole(values, shape.reduce((a, b) => a * b, 1), "a sample")),
  decode: (code) => state.model.network.decode(whole(code, state.model.k, "a code")),
  select: (row) => select(samples.rows.indexOf(row)),
  get sample() {
    return state.sample < 0 ? -1 : samples.rows[state.sample];
  },
  get view() {
    return { ...scatter.view };
  },
};
