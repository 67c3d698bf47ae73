// A walk through codes: from one sample to another, or along a line that the visitor draws.

const FRAMES = 12; // of its film strip
const UNDER = 14; // pixels within which a line begins or ends at a sample
const WALKING = 4000; // milliseconds, played

/** Let a button move a slider from one end to the other. */
function preparePlayer(scrub, button, duration) {
  let playing = 0;
  const stop = () => {
    cancelAnimationFrame(playing);
    playing = 0;
    button.textContent = "Play";
  };
  scrub.addEventListener("stop", stop);
  scrub.addEventListener("pointerdown", stop);
  button.addEventListener("click", () => {
    if (playing) return stop();
    const most = Number(scrub.max), first = Number(scrub.value) >= most ? 0 : Number(scrub.value), begun = performance.now();
    button.textContent = "Stop";
    const step = (now) => {
      const value = Math.min(most, first + (most * Math.max(0, now - begun)) / duration());
      scrub.value = value;
      scrub.dispatchEvent(new Event("input"));
      if (value >= most || !scrub.checkVisibility()) return stop();
      playing = requestAnimationFrame(step);
    };
    playing = requestAnimationFrame(step);
  });
}

/** The place at a share of the length of a line. */
function placeAlong(line, share) {
  const steps = line.slice(1).map(([x, y], i) => Math.hypot(x - line[i][0], y - line[i][1]));
  let left = share * steps.reduce((sum, step) => sum + step, 0), i = 0;
  while (i < steps.length - 1 && left > steps[i]) left -= steps[i++];
  const part = steps[i] ? Math.min(1, left / steps[i]) : 0;
  return [0, 1].map((axis) => line[i][axis] + part * (line[i + 1][axis] - line[i][axis]));
}

function walkBetween(from, to) {
  const { model } = state;
  showWalk([from, to].map((i) => model.place(model.code(i), i)), [from, to]);
}

/** Walk a line that was drawn; where it begins or ends close to a sample, from or to that. */
function walkAlong(line) {
  const ends = [line[0], line.at(-1)].map((place) => {
    const [i, distance] = state.places.nearest(...place, hidden);
    return [i, distance * scatter.view.scale < UNDER];
  });
  const whole = [...line];
  ends.forEach(([i, isUnder], end) => {
    if (isUnder) whole[end ? whole.length - 1 : 0] = state.model.place(state.model.code(i), i);
  });
  showWalk(whole, ends.map(([i]) => i), ends.map(([, isUnder]) => isUnder));
}

/** The codes along a line, as a film strip and a slider; `ends` are samples at its ends, or near them. */
function showWalk(line, ends, under = [true, true]) {
  const { model } = state, [a, b] = ends.map((i, end) => model.moved(model.code(i), end ? line.at(-1) : line[0], i));
  // Beside the map's plane, codes go straight from one end's to the other's.
  const between = (share) => {
    const code = a.map((value, j) => value + share * (b[j] - value));
    return model.moved(code, placeAlong(line, share), ends[0]);
  };
  const show = (share) => {
    const code = between(share), [near] = model.neighbours(code, 1);
    state.walked = model.fixed ? model.place(code, near) : placeAlong(line, share);
    showCode(code, near, model.isNear(code, near));
    redraw();
  };
  state.path = line;
  byId("walk").hidden = false;
  const [first, last] = ends.map((i, end) => (under[end] ? samples.name(i) : "a place"));
  byId("walk-title").textContent = byId("said").textContent = under[0] || under[1] ? `From ${first} to ${last}` : "Along the line";
  byId("film").replaceChildren(...(samples.isImages ? Array.from({ length: FRAMES }, (_, i) => {
    const canvas = element("canvas");
    paint(canvas, model.network.decode(between(i / (FRAMES - 1))), shape, low, high);
    return canvas;
  }) : []));
  byId("walk").scrollIntoView({ block: "nearest" });
  byId("scrub").value = 0;
  byId("scrub").oninput = () => show(byId("scrub").value / byId("scrub").max);
  show(0);
}

function leaveWalk() {
  Object.assign(state, { path: null, walked: null, walkFrom: null });
  byId("walk").hidden = true;
}
