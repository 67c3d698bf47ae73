// A sample that is chosen: itself, what the network makes of it, its neighbours, and the directions from it.

/** Choose a sample: show it, what the network makes of it, and its neighbours. */
function select(i, { seek = true, arrives = true } = {}) {
  if (!(i >= 0 && i < samples.n)) return;
  const wasInStrip = document.activeElement?.closest(".strip");
  const { model } = state, code = model.code(i), name = samples.className(i);
  const from = state.walkFrom ?? -1;
  if (arrives && from >= 0) {
    state.walkFrom = null;
    say("");
    if (from !== i) walkBetween(from, i);
  }
  state.sample = i;
  if (seek) bringIntoSight(i);
  byId("sample").hidden = false;
  byId("sample-title").textContent = samples.title(i);
  const values = model.network.decode(code);
  if (samples.isImages) {
    samples.show(i, byId("original"));
    paint(byId("reconstruction"), values, shape, low, high);
    const original = pixels(byId("original"), shape, low, high), span = high - low;
    paint(byId("difference"), original.map((value, j) => low + span / 2 + (values[j] - value) / 2), shape, low, high);
  }
  else showBars(byId("sample-bars"), values, samples.values(i), "the sample");
  const rank = model.rank(model.errors[i]), near = Math.min(10, samples.n - 1);
  byId("sample-facts").textContent = `error ${digits(model.errors[i])}, larger than that of ${Math.round(100 * rank)}% of the samples`
    + (model.odd && near ? `; ${Math.round(near * model.odd[i])} of the ${near} nearest codes are of other classes` : "")
    + (model.shows(i) ? "" : "; it is not among those on this map");
  showStrip(byId("neighbours"), samples, model.neighbours(code, SHOWN, (other) => other !== i), select);
  showSliders(code);
  showCode(Float32Array.from(code), i, true);
  byId("said").textContent = byId("sample-title").textContent;
  if (wasInStrip) byId("sample-title").focus({ preventScroll: true });
  remember();
  redraw();
}

/** Move the map so far that a sample can be seen. */
function bringIntoSight(i) {
  const { model } = state, [x, y] = model.place(model.code(i), i), [left, top] = scatter.toScreen(x, y);
  const { clientWidth, clientHeight } = byId("points"), bottom = clientHeight - byId("legend").offsetHeight;
  if (!model.shows(i) || (left > 12 && top > 12 && left < clientWidth - 12 && top < bottom - 12)) return;
  Object.assign(scatter.view, { x, y: y - (clientHeight - bottom) / 2 / scatter.view.scale });
  state.whole = false;
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
      showCode(code, near, model.isNear(code, near));
    });
    return element("label", {}, element("span", { text: `direction ${d + 1}` }), slider);
  }));
}

/** From a sample to the nearest on the map in a direction. */
function step(dx, dy) {
  const { points } = scatter;
  let best = -1, least = Infinity;
  if (state.sample < 0) return select(state.places.nearest(scatter.view.x, scatter.view.y, hidden)[0]);
  const here = state.model.place(state.model.code(state.sample), state.sample);
  for (let i = 0; i < samples.n; i++) {
    const x = points[2 * i] - here[0], y = points[2 * i + 1] - here[1];
    const along = x * dx + y * dy, across = Math.abs(x * dy - y * dx);
    if (along > 1e-9 && across <= along && along + across < least && !hidden(i)) [best, least] = [i, along + across];
  }
  if (best >= 0) select(best, { arrives: false });
}

/** Choose the next sample of a class, or the one of a name or a number. */
function find(text) {
  const wanted = text.trim().toLowerCase(), number = wanted.replace(/^(#|no\. ?|row )/, "").replaceAll(",", "");
  if (!wanted) return;
  const isClass = (i) => samples.className(i)?.toLowerCase() === wanted && !hidden(i);
  const byRow = samples.data.names !== null && samples.name(0).startsWith("row ");  // of a table, whose rows are meant then
  const numbered = (i) => (byRow ? samples.name(i).replace("row ", "").replaceAll(",", "") : String(samples.rows[i])) === number;
  const isIt = (i) => samples.name(i).toLowerCase() === wanted || numbered(i);
  const isLike = (i) => !byRow && samples.name(i).toLowerCase().includes(wanted);
  for (const rule of [isClass, isIt, isLike]) {
    for (let i = 1; i <= samples.n; i++) {
      const j = (state.sample + i + samples.n) % samples.n;
      if (rule(j)) {
        say("");
        return select(j);
      }
    }
  }
  say(`Nothing here is called ${text}.`);
}

function leaveSample() {
  state.sample = -1;
  byId("sample").hidden = true;
  remember();
}
