// The trained network, computed in the page: what comes in are its layers as `latentmap.models.layers.describe` gives
// them. A layer becomes a step, an object with the `shape` of what it gives, its `costs` in multiply-adds, and `run`,
// which takes an array and returns an array of the step's own that the next call overwrites. Images lie as samples do,
// (height, width, channels), so that the channels of a pixel are neighbours; `flatten` and `unflatten` go to PyTorch's
// order and back. Almost all of the time goes into `multiply`.

/** c = a b' + bias, for a of m rows and b of n rows, all of length k. */
function multiply(a, m, b, n, k, bias, c) {
  for (let i = 0; i < m; i += 2) {
    // Two rows by four at once: each number is read fewer times. At the end a row is computed twice instead.
    const second = Math.min(i + 1, m - 1);
    const a0 = i * k, a1 = second * k;
    for (let j = 0; j < n; j += 4) {
      const j1 = Math.min(j + 1, n - 1), j2 = Math.min(j + 2, n - 1), j3 = Math.min(j + 3, n - 1);
      let b0 = j * k, b1 = j1 * k, b2 = j2 * k, b3 = j3 * k;
      let s0 = bias[j], s1 = bias[j1], s2 = bias[j2], s3 = bias[j3];
      let t0 = s0, t1 = s1, t2 = s2, t3 = s3;
      for (let p = 0; p < k; p++) {
        const x = a[a0 + p], y = a[a1 + p];
        const u = b[b0 + p], v = b[b1 + p], w = b[b2 + p], z = b[b3 + p];
        s0 += x * u; s1 += x * v; s2 += x * w; s3 += x * z;
        t0 += y * u; t1 += y * v; t2 += y * w; t3 += y * z;
      }
      const row = i * n, below = second * n;
      c[row + j] = s0; c[row + j1] = s1; c[row + j2] = s2; c[row + j3] = s3;
      c[below + j] = t0; c[below + j1] = t1; c[below + j2] = t2; c[below + j3] = t3;
    }
  }
}

/** y = b x + bias, for b of n rows of length k. */
function multiplyVector(b, n, k, x, bias, y) {
  for (let j = 0; j < n; j += 4) {
    const j1 = Math.min(j + 1, n - 1), j2 = Math.min(j + 2, n - 1), j3 = Math.min(j + 3, n - 1);
    const b0 = j * k, b1 = j1 * k, b2 = j2 * k, b3 = j3 * k;
    let s0 = bias[j], s1 = bias[j1], s2 = bias[j2], s3 = bias[j3];
    for (let p = 0; p < k; p++) {
      const value = x[p];
      s0 += value * b[b0 + p]; s1 += value * b[b1 + p]; s2 += value * b[b2 + p]; s3 += value * b[b3 + p];
    }
    y[j] = s0; y[j1] = s1; y[j2] = s2; y[j3] = s3;
  }
}

/** The error function, to 1.5e-7: M. Abramowitz and I. Stegun (1964), Handbook of Mathematical Functions, 7.1.26. */
function erf(x) {
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const tail = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  const value = 1 - tail * Math.exp(-x * x);
  return x < 0 ? -value : value;
}

const sizeOf = (shape) => shape.reduce((product, size) => product * size, 1);

/** A step that treats each number by itself. */
function elementwise(shape, change) {
  const out = new Float32Array(sizeOf(shape));
  const run = (x) => {
    for (let i = 0; i < out.length; i++) out[i] = change(x[i]);
    return out;
  };
  return { shape, costs: 0, run };
}

/** PyTorch's (channels, height, width) as (height, width, channels); vectors have one size. */
const ourShape = (shape) => (shape.length === 3 ? [shape[1], shape[2], shape[0]] : shape);

/** A step that brings an image of our order into PyTorch's, or with `back` the other way round; vectors stay. */
function reordered(shape, [height, width = 1, channels = 1], back) {
  const out = new Float32Array(height * width * channels), from = new Int32Array(out.length);
  for (let pixel = 0; pixel < height * width; pixel++) {
    for (let channel = 0; channel < channels; channel++) {
      const ours = pixel * channels + channel, theirs = channel * height * width + pixel;
      if (back) from[ours] = theirs;
      else from[theirs] = ours;
    }
  }
  const run = (x) => {
    for (let i = 0; i < out.length; i++) out[i] = x[from[i]];
    return out;
  };
  return { shape, costs: 0, run };
}

/** A convolution: the patches that the kernel meets side by side, times the kernel. */
function conv2d({ inputs, outputs, kernel_size, stride, padding, weight, bias }, [height, width], weights) {
  const [kh, kw] = kernel_size, length = kh * kw * inputs;
  const rows = Math.floor((height + 2 * padding[0] - kh) / stride[0]) + 1;
  const columns = Math.floor((width + 2 * padding[1] - kw) / stride[1]) + 1;
  const kernel = new Float32Array(outputs * length);
  for (let o = 0; o < outputs; o++) {
    for (let i = 0; i < inputs; i++) {
      for (let tap = 0; tap < kh * kw; tap++) {
        kernel[o * length + tap * inputs + i] = weights[weight][(o * inputs + i) * kh * kw + tap];
      }
    }
  }
  const patches = new Float32Array(rows * columns * length), out = new Float32Array(rows * columns * outputs);
  const run = (x) => {
    for (let r = 0; r < rows; r++) {
      for (let c = 0; c < columns; c++) {
        const left = c * stride[1] - padding[1], first = Math.max(0, left), last = Math.min(width, left + kw);
        for (let ky = 0; ky < kh; ky++) {
          const y = r * stride[0] - padding[0] + ky;
          if (y < 0 || y >= height) continue; // zeros from the beginning
          let to = ((r * columns + c) * kh + ky) * kw * inputs + (first - left) * inputs;
          for (let from = (y * width + first) * inputs; from < (y * width + last) * inputs;) patches[to++] = x[from++];
        }
      }
    }
    multiply(patches, rows * columns, kernel, outputs, length, weights[bias], out);
    return out;
  };
  return { shape: [rows, columns, outputs], costs: rows * columns * outputs * length, run };
}

/** A transposed convolution: each pixel times the kernel is a patch, and patches are added where they overlap. */
function convTranspose2d(layer, [height, width], weights) {
  const { inputs, outputs, kernel_size, stride, padding, output_padding, weight, bias } = layer;
  const [kh, kw] = kernel_size, length = kh * kw * outputs;
  const rows = (height - 1) * stride[0] - 2 * padding[0] + kh + output_padding[0];
  const columns = (width - 1) * stride[1] - 2 * padding[1] + kw + output_padding[1];
  const kernel = new Float32Array(length * inputs);
  for (let i = 0; i < inputs; i++) {
    for (let o = 0; o < outputs; o++) {
      for (let tap = 0; tap < kh * kw; tap++) {
        kernel[(tap * outputs + o) * inputs + i] = weights[weight][(i * outputs + o) * kh * kw + tap];
      }
    }
  }
  const zeros = new Float32Array(length);
  const patches = new Float32Array(height * width * length), out = new Float32Array(rows * columns * outputs);
  const run = (x) => {
    multiply(x, height * width, kernel, length, inputs, zeros, patches);
    for (let i = 0; i < out.length;) for (let o = 0; o < outputs; o++) out[i++] = weights[bias][o];
    for (let r = 0; r < height; r++) {
      for (let c = 0; c < width; c++) {
        const left = c * stride[1] - padding[1], first = Math.max(0, left), last = Math.min(columns, left + kw);
        for (let ky = 0; ky < kh; ky++) {
          const y = r * stride[0] - padding[0] + ky;
          if (y < 0 || y >= rows) continue;
          let from = ((r * width + c) * kh + ky) * kw * outputs + (first - left) * outputs;
          for (let to = (y * columns + first) * outputs; to < (y * columns + last) * outputs;) out[to++] += patches[from++];
        }
      }
    }
    return out;
  };
  return { shape: [rows, columns, outputs], costs: height * width * length * inputs, run };
}

/** The steps of every kind of layer. */
const STEPS = {
  linear({ inputs, outputs, weight, bias }, shape, weights) {
    const out = new Float32Array(outputs);
    const run = (x) => {
      multiplyVector(weights[weight], outputs, inputs, x, weights[bias], out);
      return out;
    };
    return { shape: [outputs], costs: inputs * outputs, run };
  },
  conv2d,
  conv_transpose2d: convTranspose2d,
  batch_norm({ channels, weight, bias }, shape, weights) {
    const out = new Float32Array(sizeOf(shape)), scale = weights[weight], shift = weights[bias];
    const run = (x) => {
      for (let i = 0; i < out.length;) for (let c = 0; c < channels; c++, i++) out[i] = x[i] * scale[c] + shift[c];
      return out;
    };
    return { shape, costs: out.length, run };
  },
  relu: (layer, shape) => elementwise(shape, (x) => (x > 0 ? x : 0)),
  leaky_relu: ({ slope }, shape) => elementwise(shape, (x) => (x > 0 ? x : slope * x)),
  silu: (layer, shape) => elementwise(shape, (x) => x / (1 + Math.exp(-x))),
  gelu: (layer, shape) => elementwise(shape, (x) => 0.5 * x * (1 + erf(x * Math.SQRT1_2))),
  sigmoid: (layer, shape) => elementwise(shape, (x) => 1 / (1 + Math.exp(-x))),
  tanh: (layer, shape) => elementwise(shape, Math.tanh),
  clamp: ({ low, high }, shape) => elementwise(shape, (x) => Math.min(Math.max(x, low), high)),
  flatten: (layer, shape) => reordered([sizeOf(shape)], shape, false),
  unflatten: ({ shape }) => reordered(ourShape(shape), ourShape(shape), true),
  add({ branches }, shape, weights) {
    const steps = branches.map((branch) => chain(branch, shape, weights));
    const out = new Float32Array(sizeOf(steps[0].shape));
    const run = (x) => {
      out.fill(0);
      for (const step of steps) {
        const y = step.run(x);
        for (let i = 0; i < out.length; i++) out[i] += y[i];
      }
      return out;
    };
    return { shape: steps[0].shape, costs: steps.reduce((sum, step) => sum + step.costs, 0), run };
  },
};

/** Layers one after another, as one step. */
function chain(layers, shape, weights) {
  const steps = [];
  for (const layer of layers) {
    if (!Object.hasOwn(STEPS, layer.kind)) throw new Error(`this page can't compute layers of kind ${layer.kind}`);
    steps.push(STEPS[layer.kind](layer, steps.length ? steps.at(-1).shape : shape, weights));
  }
  return {
    shape: steps.length ? steps.at(-1).shape : shape,
    costs: steps.reduce((sum, step) => sum + step.costs, 0),
    run: (x) => steps.reduce((values, step) => step.run(values), x),
  };
}

/** Encodes and decodes one sample at a time: flat arrays in the order and the units of the samples that `fit` saw. */
class Network {
  constructor(facts, weights) {
    const shape = ourShape(facts.tensor_shape);
    this.encoder = chain(facts.encoder, shape, weights);
    this.decoder = chain(facts.decoder, [facts.latent_dim], weights);
    this.twicing = facts.twicing;
    this.input = new Float32Array(sizeOf(shape));
    const each = (numbers) => (typeof numbers === "number" ? new Float64Array(this.input.length).fill(numbers) : numbers);
    [this.offset, this.scale] = [each(facts.offset), each(facts.scale)];
  }

  /** The code of a sample. */
  encode(values) {
    for (let i = 0; i < this.input.length; i++) this.input[i] = (values[i] - this.offset[i]) / this.scale[i];
    const code = this.encoder.run(this.input).slice();
    if (!this.twicing) return code;
    // Corrected by its drawing, as far as a second drawing shows: `twiced` of models/refine.py.
    const drawn = this.decoder.run(code).slice();
    const again = this.encoder.run(drawn);
    const way = code.map((value, i) => value - again[i]);
    const further = this.decoder.run(code.map((value, i) => value + way[i]));
    let [along, squares] = [0, 0];
    for (let i = 0; i < drawn.length; i++) {
      const [missed, gone] = [this.input[i] - drawn[i], further[i] - drawn[i]];
      along += missed * gone;
      squares += gone * gone + 1e-4 * missed * missed;
    }
    const share = Math.min(Math.max(along / squares || 0, 0), 2);
    return share ? code.map((value, i) => value + share * way[i]) : code;
  }

  /** The sample that a code stands for. */
  decode(code) {
    return this.decoder.run(Float32Array.from(code)).map((value, i) => value * this.scale[i] + this.offset[i]);
  }

  /** How many multiply-adds a sample takes to decode. */
  costs() {
    return this.decoder.costs;
  }
}
