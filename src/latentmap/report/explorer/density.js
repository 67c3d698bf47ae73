// The density of codes as a backdrop: how many of the samples in sight lie around each place.

const CELL = 6; // pixels
const BLURS = 3; // passes of a box, which together are close to a bell

/** Draw on a canvas how densely points lie that are not hidden; `toScreen` says where. */
function drawDensity(canvas, points, isHidden, toScreen) {
  const width = Math.ceil(canvas.clientWidth / CELL), height = Math.ceil(canvas.clientHeight / CELL);
  [canvas.width, canvas.height] = [width, height];
  let cells = new Float32Array(width * height), other = new Float32Array(width * height);
  const wide = Math.round(Math.min(6, Math.max(2, 60 / Math.sqrt(points.length)))); // cells to each side, of the box
  for (let i = 0; i < points.length / 2; i++) {
    const [left, top] = toScreen(points[2 * i], points[2 * i + 1]), column = Math.floor(left / CELL), row = Math.floor(top / CELL);
    if (column >= 0 && row >= 0 && column < width && row < height && !isHidden(i)) cells[row * width + column] += 1;
  }
  for (let pass = 0; pass < BLURS; pass++) {
    for (const [step, along, across] of [[1, width, height], [width, height, width]]) {
      for (let line = 0; line < across; line++) {
        const first = step === 1 ? line * width : line;
        let sum = 0;
        for (let i = -wide; i < along; i++) {
          if (i + wide < along) sum += cells[first + (i + wide) * step];
          if (i - wide > 0) sum -= cells[first + (i - wide - 1) * step];
          if (i >= 0) other[first + i * step] = sum;
        }
      }
      [cells, other] = [other, cells];
    }
  }
  const most = cells.reduce((one, value) => Math.max(one, value), 1e-9), image = new ImageData(width, height);
  const ink = dark.matches ? [124, 184, 245] : [11, 99, 184];
  for (let i = 0; i < cells.length; i++) {
    image.data.set(ink, 4 * i);
    image.data[4 * i + 3] = 150 * Math.round(8 * Math.sqrt(Math.max(0, cells[i]) / most)) / 8; // in eight steps, whose edges are lines of equal density
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
}
