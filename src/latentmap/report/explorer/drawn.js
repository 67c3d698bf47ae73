// Images of the visitor's own, drawn on the pad or dropped: brought to what samples are like, encoded, and shown.

/** Where the ink of an image lies: left, top, right, bottom, or nothing. */
function inked(values, [height, width], paper) {
  let box = null;
  for (let i = 0; i < height * width; i++) {
    if (Math.abs(values[i] - paper) < 0.3 * (high - low)) continue;
    const x = i % width, y = Math.floor(i / width);
    box = box ? [Math.min(box[0], x), Math.min(box[1], y), Math.max(box[2], x + 1), Math.max(box[3], y + 1)] : [x, y, x + 1, y + 1];
  }
  return box;
}

/** Encode an image of the visitor's own and show where it lands. */
function land(canvas) {
  const { model } = state, values = pixels(canvas, shape, low, high);
  const code = model.network.encode(values), again = model.network.decode(code);
  const error = again.reduce((sum, value, i) => sum + ((value - values[i]) / (high - low)) ** 2, 0) / again.length;
  const near = model.neighbours(code, SHOWN), names = near.slice(0, 10).map((i) => samples.className(i));
  state.landed = canvas;
  byId("landed").hidden = false;
  paint(byId("redrawn"), again, shape, low, high);
  const most = data.classes && data.classes.map((name) => [names.filter((one) => one === name).length, name]).sort((a, b) => b[0] - a[0])[0];
  const rank = model.rank(error);
  byId("verdict").textContent = (most ? `${most[0]} of its ${names.length} nearest are labelled ${most[1]}. ` : "")
    + `${rank > 0.99 ? "The network has seen nothing like it: its" : "Its"} error is larger than that of ${Math.round(100 * rank)}% of the samples.`;
  byId("said").textContent = byId("verdict").textContent;
  showStrip(byId("landed-near"), samples, near, select);
  state.drawn = code;
  showCode(code, near[0], true);
  redraw();
}

function leaveDrawing() {
  Object.assign(state, { drawn: null, landed: null });
  byId("landed").hidden = true;
  byId("landed-near").replaceChildren();
  byId("verdict").textContent = "";
  redraw();
}

/** An image file in the middle of a canvas, which it fills; what it lets through is white, as when samples are read. */
async function landFile(file) {
  const pad = byId("pad"), [height, width] = shape, scale = Math.ceil(280 / Math.max(height, width));
  try {
    const bitmap = await createImageBitmap(file), context = pad.getContext("2d");
    pad.parentElement.hidden = false;
    [pad.width, pad.height] = [width * scale, height * scale];
    context.fillStyle = "#fff";
    context.fillRect(0, 0, pad.width, pad.height);
    const factor = Math.max(pad.width / bitmap.width, pad.height / bitmap.height);
    const size = [bitmap.width * factor, bitmap.height * factor];
    context.imageSmoothingQuality = "high";
    context.drawImage(bitmap, (pad.width - size[0]) / 2, (pad.height - size[1]) / 2, ...size);
    const kept = element("canvas", { width: pad.width, height: pad.height });
    kept.getContext("2d").drawImage(pad, 0, 0);
    land(kept);
  } catch {
    leaveDrawing();
    byId("verdict").textContent = `${file.name} is no image that this browser reads.`;
  }
}

/** A drawing as large and at the same place as the ink of the samples. */
function likeSamples(canvas, dark) {
  const [height, width] = shape, paper = dark ? low : high, boxes = [], tile = element("canvas");
  for (let i = 0; i < samples.n; i += Math.ceil(samples.n / 200)) {
    samples.show(i, tile);
    const box = inked(pixels(tile, shape, low, high), shape, paper);
    if (box) boxes.push(box);
  }
  const usual = [0, 1, 2, 3].map((side) => boxes.map((box) => box[side]).sort((a, b) => a - b)[boxes.length >> 1] ?? 0);
  const whole = [canvas.height, canvas.width], box = inked(pixels(canvas, whole, low, high), whole, paper);
  const out = element("canvas", { width, height }), context = out.getContext("2d");
  context.fillStyle = dark ? "#000" : "#fff";
  context.fillRect(0, 0, width, height);
  if (!box || !boxes.length) return out;
  const size = [box[2] - box[0], box[3] - box[1]];
  const scale = Math.min(Math.max(usual[2] - usual[0], (usual[3] - usual[1]) / 1.2) / size[0], (usual[3] - usual[1]) / size[1]);
  const to = [(usual[0] + usual[2]) / 2 - (size[0] * scale) / 2, (usual[1] + usual[3]) / 2 - (size[1] * scale) / 2];
  context.imageSmoothingQuality = "high";
  context.drawImage(canvas, box[0], box[1], ...size, ...to, size[0] * scale, size[1] * scale);
  return out;
}

function preparePad() {
  if (!samples.isImages) return;
  byId("draw").hidden = false;
  const [height, width, channels = 1] = shape, sample = element("canvas");
  let edge = 0;
  for (let i = 0; i < Math.min(50, samples.n); i++) {
    samples.show(i, sample);
    edge += sample.getContext("2d", { willReadFrequently: true }).getImageData(0, 0, 1, 1).data[0] / Math.min(50, samples.n);
  }
  const dark = edge < 128, colours = dark ? ["#000", "#fff"] : ["#fff", "#000"];
  if (channels === 1 && Math.max(height, width) <= 64) {
    const pad = new Pad(byId("pad"), shape, ...colours, (canvas) => land(likeSamples(canvas, dark)));
    byId("clear").addEventListener("click", () => {
      pad.clear();
      leaveDrawing();
    });
  } else {
    byId("draw").querySelector("h2").textContent = "An image of your own";
    byId("pad").parentElement.hidden = byId("clear").hidden = true;
  }
  byId("file").addEventListener("change", () => {
    if (byId("file").files.length) landFile(byId("file").files[0]);
    byId("file").value = "";
  });
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    if (event.dataTransfer.files.length) landFile(event.dataTransfer.files[0]);
  });
}
