// What stands beside the map: samples as images or as bars, strips of them, and tables of facts.

const byId = (id) => document.getElementById(id);

/** An element with a class, a text, and children; text is text, whatever is in it. */
function element(kind, { className = "", text = "", ...more } = {}, ...children) {
  const made = Object.assign(document.createElement(kind), { className, ...more });
  if (text) made.textContent = text;
  made.append(...children);
  return made;
}

/** A number in three digits, or as a whole one where it has more before the point. */
function digits(value) {
  const size = Math.abs(value);
  if (value && (size < 1e-3 || size >= 1e6)) return value.toExponential(2);
  return size >= 1000 ? Math.round(value).toLocaleString("en") : String(+value.toPrecision(3));
}

/** Draw what a network gives, of sample shape (height, width[, channels]), `low` being black and `high` white. */
function paint(canvas, values, [height, width, channels = 1], low, high) {
  [canvas.width, canvas.height] = [width, height];
  const image = new ImageData(width, height), scale = 255 / (high - low);
  for (let pixel = 0; pixel < height * width; pixel++) {
    for (let channel = 0; channel < 4; channel++) {
      const from = channel === 3 ? (channels === 4 ? 3 : -1) : channels === 1 ? 0 : channel;
      image.data[4 * pixel + channel] = from < 0 ? 255 : Math.round((values[pixel * channels + from] - low) * scale);
    }
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
}

/** The pixels of a canvas in the units of samples: flat, (height, width, channels). */
function pixels(canvas, [height, width, channels = 1], low, high) {
  const small = element("canvas", { width, height });
  const context = small.getContext("2d", { willReadFrequently: true });
  context.imageSmoothingQuality = "high";
  context.drawImage(canvas, 0, 0, width, height);
  const { data } = context.getImageData(0, 0, width, height), out = new Float32Array(height * width * channels);
  for (let i = 0; i < out.length; i++) {
    const at = 4 * Math.floor(i / channels);
    const value = channels === 1 ? (299 * data[at] + 587 * data[at + 1] + 114 * data[at + 2]) / 1000 : data[at + (i % channels)];
    out[i] = low + (value * (high - low)) / 255;
  }
  return out;
}

const MOST_BARS = 48; // of more features nobody reads the bars

/** Features as bars: a filled one for `values`, a line for what they are compared with, and the numbers of both. */
function showBars(host, values, others, whose) {
  if (data.features.length > MOST_BARS) return showCurves(host, values, others, whose);
  const heads = ["bar: decoded", `line: ${whose}`].map((text) => element("span", { text }));
  host.replaceChildren(element("div", { className: "bar-heads" }, ...heads), ...data.features.map((name, i) => {
    const canvas = element("canvas", { width: 240, height: 24 }), context = canvas.getContext("2d");
    const at = (value) => (240 * (value - featureLows[i])) / (featureHighs[i] - featureLows[i] || 1);
    const style = getComputedStyle(document.documentElement);
    context.fillStyle = style.getPropertyValue("--line");
    context.fillRect(0, 10, 240, 4);
    context.fillStyle = style.getPropertyValue("--mark");
    context.fillRect(0, 4, Math.max(1, at(values[i])), 16);
    context.fillStyle = style.getPropertyValue("--ink");
    context.fillRect(Math.min(237, Math.max(0, at(others[i]) - 1)), 0, 3, 24);
    return element("div", { className: "bar" }, element("span", { text: name, title: name }), canvas, element("span", { text: digits(values[i]) }), element("span", { text: digits(others[i]) }));
  }));
}

/** Many features as two curves, with the numbers of the one that is pointed at, at first of the most unlike. */
function showCurves(host, values, others, whose) {
  const n = data.features.length, [width, height] = [640, 240];
  const least = data.one_unit ? Math.min(...featureLows) : 0, most = data.one_unit ? Math.max(...featureHighs) : 1;
  // In one unit as they are, else each between its own lowest and highest.
  const share = (value, i) => data.one_unit ? (value - least) / (most - least || 1) : (value - featureLows[i]) / (featureHighs[i] - featureLows[i] || 1);
  const canvas = element("canvas", { width, height, className: "curves" }), context = canvas.getContext("2d");
  const said = element("div", { className: "bar-heads" });
  const style = getComputedStyle(document.documentElement);
  const draw = (chosen) => {
    context.clearRect(0, 0, width, height);
    const across = (i) => (width * i) / (n - 1), down = (value, i) => 6 + (height - 12) * (1 - Math.min(1.05, Math.max(-0.05, share(value, i))));
    context.fillStyle = style.getPropertyValue("--line");
    context.fillRect(across(chosen) - 1, 0, 2, height);
    for (const [line, colour, thick] of [[others, "--ink", 2], [values, "--mark", 4]]) {
      context.beginPath();
      for (let i = 0; i < n; i++) context.lineTo(across(i), down(line[i], i));
      Object.assign(context, { strokeStyle: style.getPropertyValue(colour), lineWidth: thick, lineJoin: "round" });
      context.stroke();
    }
    said.textContent = `${data.features[chosen]}: ${digits(values[chosen])} decoded, ${digits(others[chosen])} ${whose}`;
  };
  const unlike = (i) => Math.abs(share(values[i], i) - share(others[i], i));
  draw([...data.features.keys()].reduce((best, i) => (unlike(i) > unlike(best) ? i : best), 0));
  canvas.addEventListener("pointermove", (event) => {
    const box = canvas.getBoundingClientRect();
    draw(Math.round(Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)) * (n - 1)));
  });
  const range = data.one_unit ? `${digits(least)} to ${digits(most)}` : "each from its least to its most";
  const heads = [`thick: decoded, thin: ${whose}`, range].map((text) => element("span", { text }));
  host.replaceChildren(element("div", { className: "bar-heads" }, ...heads), canvas, said);
}

/** Samples side by side, each a button. */
function showStrip(host, samples, numbers, chosen) {
  host.replaceChildren(...numbers.map((i) => {
    const name = samples.className(i) ?? samples.name(i);
    const button = element("button", { type: "button", title: `${samples.name(i)}${samples.labels ? `, ${name}` : ""}` });
    button.setAttribute("aria-label", button.title);
    if (samples.isImages) {
      const canvas = element("canvas");
      samples.show(i, canvas);
      button.append(canvas);
    } else {
      button.className = "row";
      button.textContent = `${samples.data.names ? samples.name(i) : samples.rows[i]} ${samples.labels ? name : ""}`;
    }
    button.addEventListener("click", () => chosen(i));
    return button;
  }));
}

/** Terms and what is said of them. */
function showFacts(host, facts) {
  host.replaceChildren(...Object.entries(facts).flatMap(([term, said]) => [element("dt", { text: term }), element("dd", { text: String(said) })]));
}
