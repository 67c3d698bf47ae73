// What the page holds: numbers read back from text, and the samples themselves.

const TYPES = { float32: Float32Array, float64: Float64Array, uint16: Uint16Array, int32: Int32Array };

/** A number of 16 bits as what it stands for; not every browser has an array of these. */
function halfToNumber(bits) {
  const sign = bits & 0x8000 ? -1 : 1, exponent = (bits >> 10) & 31, fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** An array as `pack.numbers` wrote it. */
function read({ type, bytes }) {
  const text = atob(bytes), raw = new Uint8Array(text.length);
  for (let i = 0; i < raw.length; i++) raw[i] = text.charCodeAt(i);
  if (type !== "float16") return new TYPES[type](raw.buffer);
  const bits = new Uint16Array(raw.buffer), table = new Float32Array(65536).map((_, i) => halfToNumber(i));
  return Float32Array.from(bits, (value) => table[value]);
}

/** Columns as `pack.quantized` wrote them: rows of `width` numbers, one after another. */
function dequantize(packed) {
  const steps = read(packed), width = packed.low.length, out = new Float32Array(steps.length);
  for (let i = 0; i < out.length; i++) out[i] = packed.low[i % width] + steps[i] * packed.step[i % width];
  return out;
}

/** The samples: `image(i)` as pixels of a tile, or `values(i)` of a vector. */
class Samples {
  constructor(data) {
    this.data = data;
    this.n = data.rows.shape[0];
    this.rows = read(data.rows);
    this.labels = data.labels && read(data.labels);
    this.isImages = Boolean(data.images);
    this.vectors = data.vectors && read(data.vectors);
    this.sheets = [];
  }

  /** Wait for the sheets, which browsers decode beside. */
  async load() {
    if (!this.isImages) return;
    this.sheets = await Promise.all(this.data.images.sheets.map(async (address) => {
      const image = new Image();
      image.src = address;
      await image.decode();
      return image;
    }));
  }

  /** Where a sample's tile lies: the sheet, left, top, width, height. */
  tile(i) {
    const { tile: [height, width], across, each } = this.data.images, place = i % each;
    return [this.sheets[Math.floor(i / each)], (place % across) * width, Math.floor(place / across) * height, width, height];
  }

  /** Draw a sample's tile over the whole of a canvas. */
  show(i, canvas) {
    const [sheet, left, top, width, height] = this.tile(i);
    [canvas.width, canvas.height] = [width, height];
    canvas.getContext("2d", { willReadFrequently: true }).drawImage(sheet, left, top, width, height, 0, 0, width, height);
  }

  className(i) {
    return this.labels === null ? null : this.data.classes[this.labels[i]] ?? "no label";
  }

  /** What a sample is called. */
  name(i) {
    return this.data.names ? this.data.names[i] : `number ${this.rows[i].toLocaleString("en")}`;
  }
}

/** A model of the page: its network, its codes, and the plane in which these are shown. */
class Model {
  constructor(packed) {
    Object.assign(this, packed);
    this.network = new Network(packed.facts, packed.weights.map(read));
    this.k = packed.facts.latent_dim;
    this.Z = dequantize(packed.codes);
    this.n = this.Z.length / this.k;
    this.errors = read(packed.errors);
    this.odd = packed.odd && read(packed.odd);
    this.sorted = Float32Array.from(this.errors).sort();
    // Directions that a map can have: the principal ones of the codes where there are more than two numbers, then these.
    const unit = (i) => Array.from({ length: this.k }, (_, j) => (i === j ? 1 : 0));
    this.directions = this.k > 2 ? packed.axes.map((vector, i) => ({ name: `direction ${i + 1}`, vector })) : [];
    for (let i = 0; i < this.k; i++) this.directions.push({ name: `number ${i + 1}`, vector: unit(i) });
    this.plane = [0, Math.min(1, this.directions.length - 1)];
  }

  code(i) {
    return this.Z.subarray(i * this.k, (i + 1) * this.k);
  }

  /** Where a code lies along a direction. */
  along(code, direction) {
    const { vector } = this.directions[direction];
    let sum = 0;
    for (let j = 0; j < this.k; j++) sum += (code[j] - this.center[j]) * vector[j];
    return sum;
  }

  /** Where a code lies on the map. A code of one number is spread upwards, for points not to hide each other. */
  place(code, i) {
    const up = this.k === 1 ? (((i ?? 0) * 0.618034) % 1 - 0.5) * this.spread[0] : this.along(code, this.plane[1]);
    return [this.along(code, this.plane[0]), up];
  }

  places() {
    const points = new Float32Array(2 * this.n);
    for (let i = 0; i < this.n; i++) points.set(this.place(this.code(i), i), 2 * i);
    return points;
  }

  /** The code of a place: exactly of two numbers; of more, that of a sample near by, moved in the plane. */
  codeAt(x, y, near) {
    const code = Float32Array.from(this.code(near)), [px, py] = this.place(code, near), [a, b] = this.plane;
    for (let j = 0; j < this.k; j++) {
      code[j] += (x - px) * this.directions[a].vector[j];
      if (b !== a) code[j] += (y - py) * this.directions[b].vector[j];
    }
    return code;
  }

  /** The samples with the nearest codes. */
  neighbours(code, count, except = -1) {
    const distances = [];
    for (let i = 0; i < this.n; i++) {
      let sum = 0;
      for (let j = 0, p = i * this.k; j < this.k; j++, p++) sum += (this.Z[p] - code[j]) ** 2;
      if (i !== except) distances.push([sum, i]);
    }
    return distances.sort((one, other) => one[0] - other[0]).slice(0, count).map(([, i]) => i);
  }

  /** The share of the samples that are drawn better than with this error. */
  rank(error) {
    let low = 0, high = this.sorted.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.sorted[middle] < error) low = middle + 1;
      else high = middle;
    }
    return low / this.sorted.length;
  }
}
