// A pad to draw on, as wide as it is shown, for small gray images; light on dark or dark on light as the samples are.

class Pad {
  /** `told` is called with the canvas after each stroke. */
  constructor(canvas, [height, width], paper, ink, told) {
    this.canvas = canvas;
    [this.paper, this.ink] = [paper, ink];
    const scale = Math.ceil(280 / Math.max(height, width));
    [canvas.width, canvas.height] = [width * scale, height * scale];
    this.context = canvas.getContext("2d");
    this.brush = canvas.width / 11;
    this.last = null;
    this.clear();
    const place = (event) => {
      const box = canvas.getBoundingClientRect();
      return [((event.clientX - box.left) * canvas.width) / box.width, ((event.clientY - box.top) * canvas.height) / box.height];
    };
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      this.stroke(place(event));
    });
    canvas.addEventListener("pointermove", (event) => {
      if (this.last) this.stroke(place(event));
    });
    for (const end of ["pointerup", "pointercancel"]) {
      canvas.addEventListener(end, () => {
        if (this.last) told(canvas);
        this.last = null;
      });
    }
  }

  clear() {
    this.brush = this.canvas.width / 11; // a file may have changed its size
    this.context.fillStyle = this.paper;
    this.context.fillRect(0, 0, this.canvas.width, this.canvas.height);
  }

  stroke(place) {
    const { context, last } = this;
    Object.assign(context, { strokeStyle: this.ink, lineWidth: this.brush, lineCap: "round", lineJoin: "round" });
    context.beginPath();
    context.moveTo(...(last ?? place));
    context.lineTo(...place);
    context.stroke();
    this.last = place;
  }
}
