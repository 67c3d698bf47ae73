// Training, epoch by epoch: where the codes of some samples lay, and how they came to where they are.

const EPOCH = 250; // milliseconds of the film
const LONGEST = 8000; // milliseconds of all of it

/** Set the slider up for the present model; its last place is the map as it is. */
function showFilm() {
  const { frames, film } = state.model, scrub = byId("epoch"), n = frames.length;
  byId("training").hidden = !n;
  if (!n) return;
  scrub.dispatchEvent(new Event("stop"));
  scrub.max = n;
  scrub.value = n;
  byId("epoch-said").textContent = `${digits(film.epochs.at(-1))} epochs; drag back to see where the codes were`;
  state.film = frames.map(corners);
  scrub.oninput = () => playTo(Number(scrub.value));
}

/** Between which corners the samples of a layout lie, but for those far out. */
function corners({ points, there }) {
  return new Places(points, (i) => there[i] === 1).middle;
}

/** Show the codes as they were at a place of the slider, between two epochs on the straight line from one to the other. */
function playTo(at) {
  const { model } = state, { frames, film } = model, before = Math.floor(at), isOver = at >= frames.length;
  const wasStill = !state.isPlaying;
  if (wasStill && !isOver) { // it is of the plane that the map begins with
    Object.assign(model, { byTsne: false, plane: [0, Math.min(1, model.directions.length - 1)] });
    showAxes();
  }
  state.isPlaying = !isOver;
  if (isOver) {
    byId("epoch-said").textContent = "as it is now";
    return useLayout();
  }
  const next = Math.min(before + 1, frames.length - 1), part = at - before;
  const points = mix(frames[before].points, frames[next].points, part);
  if (model.k === 1) for (let i = 0; i < samples.n; i++) points[2 * i + 1] = model.up(i);
  model.fixed = { points, there: frames[before].there };
  byId("epoch-said").textContent = at ? `after ${digits(mix([film.epochs[before]], [film.epochs[next]], part)[0])} epochs` : "before the first epoch";
  state.places = new Places(points, (i) => model.shows(i));
  state.moved += 1; // whatever was on its way elsewhere
  scatter.setPoints(points);
  // The view follows: how far apart codes are is the network's to choose, and changes as it learns.
  scatter.fit(...[0, 1].map((corner) => mix(state.film[before][corner], state.film[next][corner], part)), byId("legend").offsetHeight);
  if (wasStill) {
    leaveWalk();
    state.line = null;
    sayWhatIsDecoded();
    recolour();
  }
  redraw({ moving: true });
}

/** Numbers at a share of the way from some to others. */
function mix(from, to, share) {
  return from.map((value, i) => value + share * (to[i] - value));
}
