"""The animated picture of the explorer that the README shows: a walk over the map, and what is decoded on the way.

Needs Chromium and Playwright, as the tests of pages do.

Run: ``python -m bench.picture explorer.html -o docs/images/explorer.webp``
"""

from __future__ import annotations

import argparse
import io
import math
import shutil
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

SIZE, SHOWN = (1080, 660), 760  # pixels of the page, and across in the picture
FRAMES, MILLISECONDS = 48, 120
QUALITY = 55


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", type=Path, help="what latentmap explore wrote")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help=".webp or .gif")
    options = parser.parse_args()
    frames = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": SIZE[0], "height": SIZE[1]}, color_scheme="light")
        page.goto(options.page.resolve().as_uri())
        page.evaluate("latentmap.ready")
        page.evaluate("document.getElementById('hint').hidden = true")
        box = page.locator("#points").bounding_box()
        if box is None:
            raise SystemExit("the page has no map")
        page.evaluate(_CURSOR)
        for i in range(FRAMES):
            turn = 2 * math.pi * i / FRAMES
            x = box["x"] + box["width"] * (0.5 + 0.33 * math.cos(turn))
            y = box["y"] + box["height"] * (0.47 + 0.33 * math.sin(turn))
            page.mouse.move(x, y)
            page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
            picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
            frames.append(picture.resize((SHOWN, round(SHOWN * SIZE[1] / SIZE[0])), Image.Resampling.LANCZOS))
        browser.close()
    first, *others = frames
    first.save(
        options.output, save_all=True, append_images=others, duration=MILLISECONDS, loop=0, quality=QUALITY, method=6
    )
    print(f"{options.output}: {options.output.stat().st_size / 1000:.0f} kB")


# A screenshot has no cursor.
_CURSOR = """() => {
  const dot = document.createElement("div");
  Object.assign(dot.style, { position: "fixed", width: "18px", height: "18px", margin: "-9px", borderRadius: "50%",
    border: "3px solid #d62728", pointerEvents: "none", zIndex: 9 });
  document.body.append(dot);
  const follow = ({ clientX, clientY }) => Object.assign(dot.style, { left: `${clientX}px`, top: `${clientY}px` });
  addEventListener("pointermove", follow);
}"""

if __name__ == "__main__":
    main()
