// Where points lie: the nearest one to a place, and whether that is near.

const PER_CELL = 4; // points, on average

class Places {
  /** Points x, y, x, y, ..., of which those for which `there` holds count. */
  constructor(points, there = () => true) {
    this.points = points;
    this.rows = Array.from({ length: points.length / 2 }, (_, i) => i).filter(there);
    this.n = this.rows.length;
    this.low = [Infinity, Infinity];
    this.high = [-Infinity, -Infinity];
    for (const i of this.rows) {
      for (const axis of [0, 1]) {
        this.low[axis] = Math.min(this.low[axis], points[2 * i + axis]);
        this.high[axis] = Math.max(this.high[axis], points[2 * i + axis]);
      }
    }
    this.across = Math.max(1, Math.ceil(Math.sqrt(this.n / PER_CELL)));
    this.size = [0, 1].map((axis) => (this.high[axis] - this.low[axis]) / this.across || 1);
    this.cells = Array.from({ length: this.across ** 2 }, () => []);
    for (const i of this.rows) {
      const [column, row] = this.cell(points[2 * i], points[2 * i + 1]);
      this.cells[row * this.across + column].push(i);
    }
    this.near = this.usualDistance();
  }

  /** Between which corners to look at first: all, but for a few so far out that the others would be one dot, as in the report's figures. */
  get middle() {
    const most = Math.ceil(this.n / 100), value = (i, axis) => this.points[2 * i + axis];
    if (this.n < 20) return [this.low, this.high];
    const ends = [0, 1].map((axis) => {
      const sorted = Float64Array.from(this.rows, (i) => value(i, axis)).sort(), low = sorted[most], high = sorted[this.n - 1 - most];
      const span = 1.5 * (high - low), isStretched = span > 0 && this.high[axis] - this.low[axis] > 4 * span;
      return isStretched ? [low - span, high + span] : [-Infinity, Infinity];
    });
    const seen = this.rows.filter((i) => ends.every(([low, high], axis) => low <= value(i, axis) && value(i, axis) <= high));
    if (this.n - seen.length > most) return [this.low, this.high];
    return [Math.min, Math.max].map((end) => [0, 1].map((axis) => seen.reduce((found, i) => end(found, value(i, axis)), value(seen[0], axis))));
  }

  cell(x, y) {
    return [x, y].map((value, axis) => {
      const place = Math.floor((value - this.low[axis]) / this.size[axis]);
      return Math.min(this.across - 1, Math.max(0, place));
    });
  }

  /** The nearest point to a place, and its distance; points for which `hidden` holds don't count. */
  nearest(x, y, hidden = () => false) {
    const [column, row] = this.cell(x, y), step = Math.min(...this.size);
    let best = -1, least = Infinity;
    for (let ring = 0; ring <= this.across; ring++) {
      if (best >= 0 && least <= Math.max(0, ring - 1) * step) break;
      for (let r = row - ring; r <= row + ring; r++) {
        if (r < 0 || r >= this.across) continue;
        const edge = r === row - ring || r === row + ring;
        for (let c = column - ring; c <= column + ring; c += edge || ring === 0 ? 1 : 2 * ring) {
          if (c < 0 || c >= this.across) continue;
          for (const i of this.cells[r * this.across + c]) {
            const distance = Math.hypot(this.points[2 * i] - x, this.points[2 * i + 1] - y);
            if (distance < least && !hidden(i)) [best, least] = [i, distance];
          }
        }
      }
    }
    return [best, least];
  }

  /** How far from a point's place to the nearest other at most, but for one in a hundred: twice that is not near. */
  usualDistance() {
    const every = Math.max(1, Math.floor(this.n / 500)), found = [];
    for (let row = 0; row < this.n; row += every) {
      const i = this.rows[row];
      found.push(this.nearest(this.points[2 * i], this.points[2 * i + 1], (other) => other === i)[1]);
    }
    found.sort((one, other) => one - other);
    return 2 * (found[Math.floor(0.99 * (found.length - 1))] || 0);
  }
}
