// A walk from one sample to another, through the codes between.

const FRAMES = 12; // of its film

/** The codes from one sample to another, as a film strip and a slider; what is decoded stands under the cursor too. */
function showWalk(from, to) {
  const { model } = state, [a, b] = [from, to].map((i) => Float32Array.from(model.code(i)));
  const between = (share) => a.map((value, j) => value + share * (b[j] - value));
  const show = (share) => {
    const code = between(share), [near] = model.neighbours(code, 1);
    const [, distance] = state.places.nearest(...model.place(code, near));
    showCode(code, near, distance <= state.places.near);
    state.walked = model.place(code, near);
    redraw();
  };
  byId("walk").hidden = false;
  byId("walk-title").textContent = `From ${samples.name(from)} to ${samples.name(to)}`;
  byId("film").replaceChildren(...(samples.isImages ? Array.from({ length: FRAMES }, (_, i) => {
    const canvas = element("canvas");
    paint(canvas, model.network.decode(between(i / (FRAMES - 1))), shape, low, high);
    return canvas;
  }) : []));
  byId("scrub").value = 0;
  byId("scrub").oninput = () => show(byId("scrub").value / 100);
  show(0);
}
