// What the visitor's hands do on the map: mouse, fingers, and keys.

function listen() {
  const canvas = byId("points"), fingers = new Map();
  let dragged = 0, tool = "move", line = null;
  byId("walk-on").addEventListener("click", () => {
    state.walkFrom = state.sample;
    say("Choose the sample to walk to: click it, or go to it with the arrow keys and press Enter.");
  });
  const at = (event) => {
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  for (const button of document.querySelectorAll("#tools button")) {
    button.addEventListener("click", () => {
      state.tool = button.value;
      for (const other of document.querySelectorAll("#tools button")) other.setAttribute("aria-pressed", String(other === button));
    });
  }
  for (const [id, close] of [["walk", leaveWalk], ["selection", leaveSelection], ["sample", leaveSample]]) {
    byId(`close-${id}`).addEventListener("click", () => {
      close();
      redraw();
    });
  }
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    leaveWalk();
    leaveSelection();
    say("");
    redraw();
  });
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    canvas.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, at(event));
    dragged = 0;
    if (line) state[tool === "select" ? "line" : "path"] = null; // a second finger ends what the first was drawing
    tool = event.shiftKey ? "select" : event.altKey ? "walk" : state.tool;
    line = tool !== "move" && fingers.size === 1 ? [scatter.toPlace(...at(event))] : null;
  });
  canvas.addEventListener("pointermove", (event) => {
    const now = at(event), before = fingers.get(event.pointerId);
    if (before) dragged += Math.hypot(now[0] - before[0], now[1] - before[1]);
    if (before && line) {
      line.push(scatter.toPlace(...now));
      fingers.set(event.pointerId, now);
      state[tool === "select" ? "line" : "path"] = line;
      redraw();
    } else if (before && event.pointerType === "touch" && fingers.size === 1) {
      fingers.set(event.pointerId, now); // one finger looks, two move the map
    } else if (before) {
      const others = [...fingers].filter(([id]) => id !== event.pointerId);
      if (others.length) {
        const [, [x, y]] = others[0], spread = ([left, top]) => Math.hypot(left - x, top - y) || 1;
        scatter.zoom(spread(now) / spread(before), (x + now[0]) / 2, (y + now[1]) / 2);
      }
      scatter.view.x -= (now[0] - before[0]) / scatter.view.scale / (others.length + 1);
      scatter.view.y += (now[1] - before[1]) / scatter.view.scale / (others.length + 1);
      fingers.set(event.pointerId, now);
      state.whole = false;
      redraw({ moving: true });
    }
    if (!before || event.pointerType !== "mouse") point(...now);
  });
  const lift = (event) => {
    if (!fingers.delete(event.pointerId)) return;
    const drawn = line, isClick = dragged < 4 && event.type === "pointerup";
    line = null;
    if (drawn && isClick) (tool === "select" ? leaveSelection : leaveWalk)();
    else if (drawn && tool === "select") showSelection(drawn);
    else if (drawn) walkAlong(drawn);
    if (isClick) select(state.places.nearest(...scatter.toPlace(...at(event)), hidden)[0]);
    else if (!drawn) remember();
  };
  canvas.addEventListener("pointerup", lift);
  canvas.addEventListener("pointercancel", lift);
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    state.whole = false;
    scatter.zoom(Math.exp(-event.deltaY / (event.deltaMode ? 20 : 400)), ...at(event));
    redraw({ moving: true });
  }, { passive: false });
  canvas.addEventListener("keydown", (event) => {
    const middle = [canvas.clientWidth / 2, canvas.clientHeight / 2];
    const keys = {
      ArrowLeft: () => step(-1, 0), ArrowRight: () => step(1, 0), ArrowUp: () => step(0, 1), ArrowDown: () => step(0, -1),
      "+": () => scatter.zoom(1.4, ...middle), "=": () => scatter.zoom(1.4, ...middle), "-": () => scatter.zoom(1 / 1.4, ...middle),
      0: () => fitAll(),
      Enter: () => select(state.sample),
    };
    if (!Object.hasOwn(keys, event.key)) return;
    event.preventDefault();
    if (["+", "=", "-"].includes(event.key)) state.whole = false;
    keys[event.key]();
    redraw({ moving: true });
  });
  byId("fit").addEventListener("click", () => {
    fitAll();
    remember();
    redraw();
  });
  byId("find").addEventListener("keydown", (event) => {
    if (event.key === "Enter") find(event.target.value);
  });
  new ResizeObserver(() => {
    scatter.resize();
    if (state.whole) fitAll();
    redraw();
  }).observe(canvas);
  addEventListener("hashchange", recall);
  dark.addEventListener("change", () => {
    showLegend();
    recolour();
  });
}
