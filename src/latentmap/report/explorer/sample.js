// A sample that is chosen: itself, what the network makes of it, its neighbours, and the directions from it.

/** Choose a sample: show it, what the network makes of it, and its neighbours. */
function select(i) {
  if (!(i >= 0 && i < samples.n)) return;
  const { model } = state, code = model.code(i), name = samples.className(i);
  const from = state.walkFrom;
  state.walkFrom = null;
  if (from != null && from !== i) walkBetween(from, i);
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
  showStrip(byId("neighbours"), samples, model.neighbours(code, SHOWN, (other) => other !== i), select);
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
  const here = state.model.place(state.model.code(state.sample), state.sample);
  for (let i = 0; i < samples.n; i++) {
    const x = points[2 * i] - here[0], y = points[2 * i + 1] - here[1];
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
