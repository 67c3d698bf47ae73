// The map: points drawn by WebGL where there is one, else on a plain canvas; where it looks is its `view`.

const VERTEX = `
  attribute vec2 place; attribute vec4 colour;
  uniform vec2 centre, scale; uniform float size; varying vec4 shade;
  void main() {
    gl_Position = vec4((place - centre) * scale, 0.0, 1.0);
    gl_PointSize = colour.a > 0.0 ? size : 0.0;
    shade = colour;
  }`;
const FRAGMENT = `
  precision mediump float; varying vec4 shade;
  void main() {
    float distance = length(gl_PointCoord - 0.5);
    if (distance > 0.5 || shade.a == 0.0) discard;
    float opacity = 0.85 * shade.a * smoothstep(0.5, 0.38, distance);
    gl_FragColor = vec4(shade.rgb * opacity, opacity);
  }`;

class Scatter {
  constructor(canvas) {
    this.canvas = canvas;
    this.view = { x: 0, y: 0, scale: 1 }; // the centre, and pixels a unit
    this.points = new Float32Array(0);
    this.colours = new Uint8Array(0);
    this.gl = canvas.getContext("webgl", { antialias: false, premultipliedAlpha: true });
    if (this.gl) this.prepare();
    else this.plain = canvas.getContext("2d");
  }

  prepare() {
    const { gl } = this, program = gl.createProgram();
    for (const [type, source] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
      const shader = gl.createShader(type);
      gl.shaderSource(shader, source);
      gl.compileShader(shader);
      gl.attachShader(program, shader);
    }
    gl.linkProgram(program);
    gl.useProgram(program);
    this.uniforms = Object.fromEntries(["centre", "scale", "size"].map((name) => [name, gl.getUniformLocation(program, name)]));
    this.buffers = ["place", "colour"].map((name, i) => {
      const buffer = gl.createBuffer(), where = gl.getAttribLocation(program, name);
      gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
      gl.enableVertexAttribArray(where);
      gl.vertexAttribPointer(where, i ? 4 : 2, i ? gl.UNSIGNED_BYTE : gl.FLOAT, Boolean(i), 0, 0);
      return buffer;
    });
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
  }

  fill(number, values) {
    if (!this.gl) return;
    this.gl.bindBuffer(this.gl.ARRAY_BUFFER, this.buffers[number]);
    this.gl.bufferData(this.gl.ARRAY_BUFFER, values, this.gl.DYNAMIC_DRAW);
  }

  setPoints(points) {
    this.points = points;
    this.fill(0, points);
  }

  /** Red, green, blue and opacity of each point, 0 to 255; of no opacity it is not there. */
  setColours(colours) {
    this.colours = colours;
    this.fill(1, colours);
  }

  resize() {
    const ratio = window.devicePixelRatio || 1, { clientWidth, clientHeight } = this.canvas;
    this.canvas.width = Math.max(1, Math.round(clientWidth * ratio));
    this.canvas.height = Math.max(1, Math.round(clientHeight * ratio));
  }

  toScreen(x, y) {
    const { clientWidth, clientHeight } = this.canvas, { view } = this;
    return [clientWidth / 2 + (x - view.x) * view.scale, clientHeight / 2 - (y - view.y) * view.scale];
  }

  toPlace(left, top) {
    const { clientWidth, clientHeight } = this.canvas, { view } = this;
    return [view.x + (left - clientWidth / 2) / view.scale, view.y - (top - clientHeight / 2) / view.scale];
  }

  /** Look so that everything between two corners is seen. */
  fit(low, high) {
    const { clientWidth, clientHeight } = this.canvas, size = [0, 1].map((axis) => high[axis] - low[axis] || 1);
    this.view = {
      x: (low[0] + high[0]) / 2, y: (low[1] + high[1]) / 2,
      scale: 0.88 * Math.min(clientWidth / size[0], clientHeight / size[1]),
    };
    this.whole = this.view.scale;
  }

  /** Come nearer by a factor, with what is under a place of the screen staying there. */
  zoom(factor, left, top) {
    const [x, y] = this.toPlace(left, top), { view } = this;
    view.scale = Math.min(Math.max(view.scale * factor, this.whole / 4), this.whole * 400);
    const [nowX, nowY] = this.toPlace(left, top);
    view.x += x - nowX;
    view.y += y - nowY;
  }

  get size() {
    const n = this.points.length / 2, nearer = Math.sqrt(this.view.scale / (this.whole || this.view.scale));
    return Math.min(16, Math.min(8, Math.max(2.5, 160 / Math.sqrt(n))) * Math.max(0.7, nearer)) + 1;
  }

  draw() {
    const { gl, view, canvas } = this, ratio = canvas.width / (canvas.clientWidth || 1);
    if (!gl) return this.drawPlain(ratio);
    gl.viewport(0, 0, canvas.width, canvas.height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT);
    gl.uniform2f(this.uniforms.centre, view.x, view.y);
    gl.uniform2f(this.uniforms.scale, (2 * view.scale * ratio) / canvas.width, (2 * view.scale * ratio) / canvas.height);
    gl.uniform1f(this.uniforms.size, this.size * ratio);
    gl.drawArrays(gl.POINTS, 0, this.points.length / 2);
  }

  drawPlain(ratio) {
    const { plain, canvas, points, colours } = this, radius = this.size / 2;
    plain.setTransform(ratio, 0, 0, ratio, 0, 0);
    plain.clearRect(0, 0, canvas.width, canvas.height);
    for (let i = 0; i < points.length / 2; i++) {
      if (!colours[4 * i + 3]) continue;
      const [left, top] = this.toScreen(points[2 * i], points[2 * i + 1]);
      plain.fillStyle = `rgba(${colours[4 * i]}, ${colours[4 * i + 1]}, ${colours[4 * i + 2]}, ${0.85 * colours[4 * i + 3] / 255})`;
      plain.fillRect(left - radius, top - radius, 2 * radius, 2 * radius);
    }
  }
}
