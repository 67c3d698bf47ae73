// What the page holds: numbers read back from text, and the samples themselves.

const TYPES = { float32: Float32Array, float64: Float64Array, uint16: Uint16Array, int32: Int32Array };

/** A number of 16 bits as what it stands for; not every browser has an array of these. */
function halfToNumber(bits) {
  const sign = bits & 0x8000 ? -1 : 1, exponent = (bits >> 10) & 31, fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

const DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~";
const DIGIT = new Uint8Array(128);
for (let i = 0; i < DIGITS.length; i++) DIGIT[DIGITS.charCodeAt(i)] = i;

/** Bytes as `pack.as_text` wrote them: four in five digits, of the last ones as many as there are. */
function bytesOf(text) {
  const rest = text.length % 5, out = new Uint8Array(Math.floor(text.length / 5) * 4 + (rest && rest - 1));
  for (let i = 0, to = 0; i < text.length; i += 5) {
    let value = 0;
    for (let j = i; j < i + 5; j++) value = 85 * value + (j < text.length ? DIGIT[text.charCodeAt(j)] : 84);
    for (let shift = 24; shift >= 0 && to < out.length; shift -= 8) out[to++] = value >>> shift;
  }
  return out;
}

/** An array as `pack.numbers` wrote it. */
function read({ type, bytes }) {
  const raw = bytesOf(bytes);
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

/** Places of some of n samples, one layout after another, as `pack` wrote them: points, and which samples are there. */
function layouts(packed, n) {
  const shown = read(packed.shown), all = dequantize(packed), width = packed.low.length;
  const there = new Uint8Array(n);
  for (const i of shown) there[i] = 1;
  return Array.from({ length: all.length / width / shown.length }, (_, frame) => {
    const points = new Float32Array(2 * n);
    shown.forEach((i, row) => points.set(all.subarray((frame * shown.length + row) * width, (frame * shown.length + row + 1) * width), 2 * i));
    return { points, there };
  });
}

const MEASURED = 200; // codes that say how near is near

/** The samples: `image(i)` as pixels of a tile, or `values(i)` of a vector. */
class Samples {
  constructor(data) {
    this.data = data;
    this.n = data.rows.shape[0];
    this.rows = read(data.rows);
    this.labels = data.labels && read(data.labels);
    this.numbers = data.values && read(data.values); // that colour them
    this.isImages = Boolean(data.images);
    this.vectors = data.vectors && read(data.vectors);
    this.sheets = [];
  }

  /** Wait for the sheets, which browsers decode beside. */
  async load() {
    if (!this.isImages) return;
    const decoded = (text) => createImageBitmap(new Blob([bytesOf(text)], { type: "image/webp" }));
    this.sheets = await Promise.all(this.data.images.sheets.map(decoded));
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
    return this.labels === null ? null : this.data.classes[this.labels[i]] ?? "(no label)";
  }

  /** What a sample is called. */
  name(i) {
    return this.data.names ? this.data.names[i] : `no. ${this.rows[i].toLocaleString("en")}`;
  }

  /** The same with its class, or its number. */
  title(i) {
    const name = this.className(i);
    const number = this.numbers ? ` · ${this.data.values.name} ${Number.isFinite(this.numbers[i]) ? measured(this.numbers[i]) : "not given"}` : "";
    return `${this.name(i)}${name === null ? number : ` · labelled ${name}`}`;
  }

  /** The features of a vector. */
  values(i) {
    const n = this.data.features.length;
    return this.vectors.subarray(i * n, (i + 1) * n);
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
    this.tsne = packed.tsne && layouts(packed.tsne, this.n)[0];
    this.frames = packed.film ? layouts(packed.film, this.n) : [];
    this.fixed = null; // a layout of samples that says nothing of other codes, where the map is one
  }

  /** Whether a sample is on the map. */
  shows(i) {
    return this.fixed === null || this.fixed.there[i] === 1;
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

  /** Where a code lies on the map; where that can't be computed, sample i's place, or that of the sample nearest to it. */
  place(code, i) {
    if (this.fixed) {
      const at = this.shows(i) ? i : this.neighbours(code, 1, (other) => this.shows(other))[0];
      return [...this.fixed.points.subarray(2 * at, 2 * at + 2)];
    }
    return [this.along(code, this.plane[0]), this.k === 1 ? this.up(i ?? 0) : this.along(code, this.plane[1])];
  }

  /** Codes of one number are spread upwards, for points not to hide each other. */
  up(i) {
    return ((i * 0.618034) % 1 - 0.5) * this.spread[0];
  }

  places() {
    if (this.fixed) return this.fixed.points;
    const points = new Float32Array(2 * this.n);
    for (let i = 0; i < this.n; i++) points.set(this.place(this.code(i), i), 2 * i);
    return points;
  }

  /** A code moved in the plane of the map until it lies at a place; as it is where the map is no plane of codes. */
  moved(code, [x, y], i) {
    const out = Float32Array.from(code), [a, b] = this.plane;
    if (this.fixed) return out;
    const [px, py] = this.place(code, i);
    for (let j = 0; j < this.k; j++) {
      out[j] += (x - px) * this.directions[a].vector[j];
      if (b !== a) out[j] += (y - py) * this.directions[b].vector[j];
    }
    return out;
  }

  /** The samples with the nearest codes, of those for which `counts` holds. */
  neighbours(code, count, counts = () => true) {
    const distances = [];
    for (let i = 0; i < this.n; i++) {
      if (!counts(i)) continue;
      let sum = 0;
      for (let j = 0, p = i * this.k; j < this.k; j++, p++) sum += (this.Z[p] - code[j]) ** 2;
      distances.push([sum, i]);
    }
    return distances.sort((one, other) => one[0] - other[0]).slice(0, count).map(([, i]) => i);
  }

  /** Whether a code is as near to a sample's, the nearest one's, as samples' codes are to each other: see `Places`. */
  isNear(code, near) {
    const distance = (one, other) => Math.hypot(...one.map((value, j) => value - other[j]));
    if (this.usual === undefined) {
      const every = Math.ceil(this.n / MEASURED), found = [];
      for (let i = 0; i < this.n; i += every) {
        const [next] = this.neighbours(this.code(i), 1, (other) => other !== i);
        if (next !== undefined) found.push(distance(this.code(i), this.code(next)));
      }
      found.sort((one, other) => one - other);
      this.usual = 2 * (found[Math.floor(0.99 * (found.length - 1))] ?? 0);
    }
    return distance(Float32Array.from(code), this.code(near)) <= this.usual;
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
