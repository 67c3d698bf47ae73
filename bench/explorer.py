"""The explorer's page in Chromium: milliseconds to encode and decode an image, and frames a second of a large map.

Speed does not depend on the weights, so models are fitted for one epoch only, to noise. Each figure is the least of
several rounds of many calls, once the browser has compiled what is called often. Frames are counted while the mouse
drags the map to and fro; without an accelerator the browser draws on the processor.

Run: ``python -m bench.explorer [--short]``. Needs Playwright and the system's Chromium.
"""

from __future__ import annotations

import argparse
import base64
import json
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
from playwright.sync_api import Page, sync_playwright

from bench.data import photographs
from latentmap import Autoencoder
from latentmap.analysis import PcaBaseline
from latentmap.errors import DatasetError
from latentmap.models import MODELS
from latentmap.models.layers import describe
from latentmap.report.explorer import FOLDER, explore

SHAPES = {(28, 28, 1): (2, 30), (32, 32, 3): (64,), (96, 96, 3): (64,)}
PAGE = """<script>
{network}
const floats = (text) => new Float32Array(Uint8Array.from(atob(text), (character) => character.charCodeAt(0)).buffer);
const network = new Network({facts}, {weights}.map(floats));
function milliseconds(method, values, rounds) {{
  const times = [];
  for (let round = 0; round <= rounds; round++) {{
    let calls = 0;
    const start = performance.now();
    do network[method](values), calls++; while (performance.now() - start < 200);
    times.push((performance.now() - start) / calls);
  }}
  return Math.min(...times.slice(1));
}}
</script>"""


def milliseconds(page: Page, path: Path, model: Autoencoder, sample: np.ndarray, rounds: int) -> tuple[float, ...]:
    """Of encoding, of decoding, and how many million multiply-adds that is."""
    description = describe(model)
    weights = [base64.b64encode(weight.tobytes()).decode() for weight in description.weights]
    facts = {"facts": json.dumps(description.facts), "weights": json.dumps(weights)}
    path.write_text(PAGE.format(network=(FOLDER / "network.js").read_text(), **facts))
    page.goto(path.as_uri())
    code = model.transform(sample[np.newaxis])[0]
    script = "([method, values, rounds]) => milliseconds(method, values, rounds)"
    times = [
        page.evaluate(script, [method, values.ravel().astype(float).tolist(), rounds])
        for method, values in (("encode", sample), ("decode", code))
    ]
    return *times, page.evaluate("network.costs() / 1e6")


def images(n: int) -> np.ndarray:
    """Colour photographs where so many are at hand, else tiny squares of noise."""
    try:
        X = photographs().train.X[:n]
    except DatasetError:
        X = np.empty((0,))
    return X if len(X) == n else np.random.default_rng(0).integers(0, 256, (n, 4, 4, 3), dtype=np.uint8)


def opening_and_frames(page: Page, path: Path, n_points: int) -> tuple[float, float]:
    """Of a map of so many colour images: the seconds until it is open, and frames a second while it is dragged."""
    X = images(n_points)
    explore(PcaBaseline(2).fit(X), X, limit=n_points).save(path)
    start = time.perf_counter()
    page.goto(path.as_uri())
    page.evaluate("window.latentmap.ready")
    opening = time.perf_counter() - start
    box = page.locator("#points").bounding_box()
    left, top = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(left, top)
    page.mouse.down()
    page.evaluate("""() => {
      window.frames_drawn = 0;
      window.begun = performance.now();
      const count = () => { window.frames_drawn++; requestAnimationFrame(count); };
      requestAnimationFrame(count);
    }""")
    for distance in (100, -100, 50, 0):
        page.mouse.move(left + distance, top + distance / 2, steps=60)
    frames: float = page.evaluate("1000 * window.frames_drawn / (performance.now() - window.begun)")
    page.mouse.up()
    return opening, frames


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="the smallest images, one round")
    options = parser.parse_args()
    shapes = dict(list(SHAPES.items())[:1]) if options.short else SHAPES
    print(f"{'model':>10} {'image':>9} {'numbers':>8} {'multiply-adds':>14} {'encode ms':>10} {'decode ms':>10}")
    with sync_playwright() as driver, tempfile.TemporaryDirectory() as folder:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page()
        for shape, sizes in shapes.items():
            X = np.random.default_rng(0).integers(0, 256, (max(sizes) + 50, *shape), dtype=np.uint8)
            for name in sorted(MODELS):
                for latent_dim in sizes:
                    model = Autoencoder(name, latent_dim, epochs=1, random_state=0).fit(X)
                    path, rounds = Path(folder) / "page.html", 1 if options.short else 5
                    encode, decode, costs = milliseconds(page, path, model, X[0], rounds)
                    print(
                        f"{name:>10} {'x'.join(map(str, shape)):>9} {latent_dim:8} {costs:12.2f} M "
                        f"{encode:10.2f} {decode:10.2f}",
                        flush=True,
                    )
        for n_points in (1000,) if options.short else (20_000, 100_000):
            opening, frames = opening_and_frames(page, Path(folder) / "map.html", n_points)
            print(f"{n_points:,} points: open in {opening:.1f} s, {frames:.0f} frames a second dragged", flush=True)
        browser.close()


if __name__ == "__main__":
    main()
