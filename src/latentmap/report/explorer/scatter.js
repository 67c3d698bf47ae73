// The map: points drawn by WebGL where there is one, else on a plain canvas; where it looks is its `view`.

const VERTEX = `
  attribute vec2 place; attribute vec4 colour; attribute float shape;
  uniform vec2 centre, scale; uniform float size; varying vec4 shade; varying float kind;
  void main() {
    gl_Position = vec4((place - centre) * scale, 0.0, 1.0);
    gl_PointSize = colour.a > 0.0 ? size : 0.0;
    shade = colour;
    kind = shape;
  }`;
const FRAGMENT = `
  precision mediump float; varying vec4 shade; varying float kind;
  void main() {
    vec2 p = abs(gl_PointCoord - 0.5);
    float distance = length(p); // to the middle, as long as that from edge to middle is a half
    if (kind > 2.5) distance = p.x + p.y;
    else if (kind > 1.5) distance = 1.15 * max(p.x, p.y);
    else if (kind > 0.5) distance = max(p.x + 0.5 * (0.5 - gl_PointCoord.y) + 0.2, gl_PointCoord.y - 0.5);
    if (distance > 0.5 || shade.a == 0.0) discard;
    float opacity = 0.85 * shade.a * smoothstep(0.5, 0.38, distance);
    gl_FragColor = vec4(shade.rgb * opacity, opacity);
  }`;

const SHAPES = ["circle", "triangle", "square", "diamond"];
const CORNERS = [[], [[0, -1], [1, 1], [-1, 1]], [[-0.9, -0.9], [0.9, -0.9], [0.9, 0.9], [-0.9, 0.9]], [[0, -1], [1, 0], [0, 1], [-1, 0]]];
const MANY = 20000; // points, of which fewer are always drawn all
const FRAME = 16; // milliseconds that drawing a map may take while it moves

class Scatter {
  constructor(canvas) {
    this.canvas = canvas;
    this.view = { x: 0, y: 0, scale: 1 }; // the centre, and pixels a unit
    this.points = new Float32Array(0);
    this.colours = new Uint8Array(0);
    this.shapes = new Uint8Array(0);
    this.cost = 0; // milliseconds a point
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
    this.attributes = [["place", 2, gl.FLOAT, 8], ["colour", 4, gl.UNSIGNED_BYTE, 4], ["shape", 1, gl.UNSIGNED_BYTE, 1]].map(([name, ...kind]) => {
      const where = gl.getAttribLocation(program, name);
      gl.enableVertexAttribArray(where);
      return [where, gl.createBuffer(), ...kind];
    });
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
  }

  fill(number, values) {
    if (!this.gl) return;
    this.gl.bindBuffer(this.gl.ARRAY_BUFFER, this.attributes[number][1]);
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

  /** Where in `SHAPES` each point's shape is. */
  setShapes(shapes) {
    this.shapes = shapes;
    this.fill(2, shapes);
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

  /** Look so that everything between two corners is seen, above what covers some pixels at the bottom. */
  fit(low, high, covered) {
    const { clientWidth, clientHeight } = this.canvas, size = [0, 1].map((axis) => high[axis] - low[axis] || 1);
    const scale = 0.88 * Math.min(clientWidth / size[0], Math.max(50, clientHeight - covered) / size[1]);
    this.view = { x: (low[0] + high[0]) / 2, y: (low[1] + high[1]) / 2 - covered / 2 / scale, scale };
    this.whole = scale;
    this.least = scale / 4;
  }

  /** Come nearer by a factor, with what is under a place of the screen staying there. */
  zoom(factor, left, top) {
    const [x, y] = this.toPlace(left, top), { view } = this;
    view.scale = Math.min(Math.max(view.scale * factor, this.least), this.whole * 400);
    const [nowX, nowY] = this.toPlace(left, top);
    view.x += x - nowX;
    view.y += y - nowY;
  }

  get size() {
    const n = this.points.length / 2, nearer = Math.sqrt(this.view.scale / (this.whole || this.view.scale));
    return Math.min(16, Math.min(8, Math.max(2.5, 160 / Math.sqrt(n))) * Math.max(0.7, nearer)) + 1;
  }

  /** Draw all points, or while the map moves as many as the machine draws in a frame. */
  draw({ moving = false } = {}) {
    const { gl, view, canvas, points } = this, ratio = canvas.width / (canvas.clientWidth || 1), n = points.length / 2;
    const begun = performance.now(), every = moving ? Math.max(1, Math.ceil((this.cost * n) / FRAME)) : 1;
    if (gl) this.drawQuickly(view, ratio, every);
    else this.drawPlain(ratio, every);
    if (n < MANY || this.cost || moving) return;
    if (gl) gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, new Uint8Array(4)); // waits until all is drawn
    if (this.begun) this.cost = (performance.now() - begun) / n; // the first time much else is made ready
    this.begun = true;
  }

  drawQuickly(view, ratio, every) {
    const { gl, canvas } = this;
    gl.viewport(0, 0, canvas.width, canvas.height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT);
    gl.uniform2f(this.uniforms.centre, view.x, view.y);
    gl.uniform2f(this.uniforms.scale, (2 * view.scale * ratio) / canvas.width, (2 * view.scale * ratio) / canvas.height);
    gl.uniform1f(this.uniforms.size, this.size * ratio);
    for (const [where, buffer, count, type, bytes] of this.attributes) {
      gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
      gl.vertexAttribPointer(where, count, type, count === 4, bytes * every, 0);
    }
    gl.drawArrays(gl.POINTS, 0, Math.floor((this.points.length / 2 - 1) / every) + 1);
  }

  drawPlain(ratio, every) {
    const { plain, canvas, points, colours, shapes } = this, radius = this.size / 2.4; // what the other leaves soft
    plain.setTransform(ratio, 0, 0, ratio, 0, 0);
    plain.clearRect(0, 0, canvas.width, canvas.height);
    for (let i = 0; i < points.length / 2; i += every) {
      if (!colours[4 * i + 3]) continue;
      const [left, top] = this.toScreen(points[2 * i], points[2 * i + 1]);
      plain.fillStyle = `rgba(${colours[4 * i]}, ${colours[4 * i + 1]}, ${colours[4 * i + 2]}, ${0.85 * colours[4 * i + 3] / 255})`;
      plain.beginPath();
      const corners = CORNERS[shapes[i]];
      if (!corners.length) plain.arc(left, top, radius, 0, 2 * Math.PI);
      for (const [x, y] of corners) plain.lineTo(left + x * radius, top + y * radius);
      plain.fill();
    }
  }
}
