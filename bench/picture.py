"""The pictures of pages that the README shows: a walk over the explorer's map, and how a report begins.

Needs Chromium and Playwright, as the tests of pages do.

Run: ``python -m bench.picture explorer.html -o docs/images/explorer.webp``, and with ``report.html``
"""

from __future__ import annotations

import argparse
import io
import math
import shutil
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

SIZE, SHOWN = (1080, 660), 760  # pixels of the page, and across in the picture
FRAMES, MILLISECONDS = 48, 120
QUALITY = 55
COLUMN, TALL = 940, 1545  # pixels of a report
SECTIONS = ("map", "generated")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", type=Path, help="what latentmap explore or report wrote")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help=".webp or .gif")
    options = parser.parse_args()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": SIZE[0], "height": SIZE[1]}, color_scheme="light")
        page.goto(options.page.resolve().as_uri())
        first, *others = walk(page) if page.locator("#points").count() else [columns(page)]
        browser.close()
    moving = {"append_images": others, "duration": MILLISECONDS, "loop": 0} if others else {}
    first.save(options.output, save_all=bool(others), quality=QUALITY, method=6, **moving)
    print(f"{options.output}: {options.output.stat().st_size / 1000:.0f} kB")


def walk(page: Page) -> list[Image.Image]:
    """Move the cursor over the explorer's map, once round."""
    page.evaluate("latentmap.ready")
    page.evaluate("document.getElementById('hint').hidden = true")
    box = page.locator("#points").bounding_box()
    if box is None:
        raise SystemExit("the page has no map")
    page.evaluate(_CURSOR)
    frames = []
    for i in range(FRAMES):
        turn = 2 * math.pi * i / FRAMES
        x = box["x"] + box["width"] * (0.5 + 0.33 * math.cos(turn))
        y = box["y"] + box["height"] * (0.47 + 0.33 * math.sin(turn))
        page.mouse.move(x, y)
        page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
        frames.append(picture.resize((SHOWN, round(SHOWN * SIZE[1] / SIZE[0])), Image.Resampling.LANCZOS))
    return frames


def columns(page: Page) -> Image.Image:
    """A report's beginning and some of its figures, beside each other."""
    page.set_viewport_size({"width": COLUMN, "height": 800})
    top = page.screenshot(full_page=True, clip={"x": 0, "y": 0, "width": COLUMN, "height": TALL})
    shots = [top] + [page.locator(f"#{name}").screenshot() for name in SECTIONS]
    first, *sections = [Image.open(io.BytesIO(shot)).convert("RGB") for shot in shots]
    sheet = Image.new("RGB", (2 * COLUMN, TALL), first.getpixel((0, 0)))
    sheet.paste(first, (0, 0))
    y = 30
    for section in sections:
        sheet.paste(section, (COLUMN + (COLUMN - section.width) // 2, y))
        y += section.height
    return sheet.resize((2 * COLUMN * 3 // 4, TALL * 3 // 4), Image.Resampling.LANCZOS)


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
