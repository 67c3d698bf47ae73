"""The explorer's page, touched as a visitor does, in a real browser."""

import base64
import io
import json
import os
import re
import time

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import latentmap
from latentmap import Autoencoder, load_dataset
from latentmap.analysis import PcaBaseline
from latentmap.errors import OutputError
from latentmap.report.explorer import explore
from latentmap.report.explorer.pack import numbers, quantized, sheets
from latentmap.training import CodeFilm

HOSTILE = "</script><img src=x onerror=alert(1)><b>&\"'"
CLASSES = [HOSTILE, *(f"class {i}" for i in range(1, 10))]


@pytest.fixture(scope="module")
def digits():
    return latentmap.load_dataset("digits", size=8)


@pytest.fixture(scope="module")
def film(digits):
    """Of the model `flat`, once that is fitted."""
    return CodeFilm(digits.test.images, n_samples=90)


@pytest.fixture(scope="module")
def models(digits, film):
    X = digits.train.images
    flat = Autoencoder("dense", 2, epochs=20, random_state=0, callbacks=[film]).fit(X)
    deep = Autoencoder("dense", 6, epochs=5, random_state=0).fit(X)
    deep._fitted.twicing_gain = 0.01  # whatever was found
    return {
        "flat": flat,
        "deep": deep,
        "PCA": PcaBaseline(2).fit(X),
    }


@pytest.fixture(scope="module")
def opened(browser, models, digits, film, tmp_path_factory):
    """The page of the digits, and what went wrong in it."""
    path = tmp_path_factory.mktemp("explorer") / "explorer.html"
    X, labels = digits.test.images, digits.test.labels
    explore(models, X, labels, class_names=CLASSES, title=HOSTILE, films={"flat": film}).save(path)
    page = browser.new_page(viewport={"width": 1200, "height": 800}, reduced_motion="reduce")
    page.wrong, page.asked = [], []
    page.on("pageerror", lambda error: page.wrong.append(str(error)))
    page.on("console", lambda message: page.wrong.append(message.text) if message.type == "error" else None)
    page.on("dialog", lambda dialog: (page.wrong.append("a dialog"), dialog.dismiss()))
    page.on("request", lambda request: page.asked.append(request.url))
    page.goto(path.as_uri())
    page.evaluate("latentmap.ready")
    page.path = path
    yield page
    page.close()


@pytest.fixture
def page(opened):
    """The same as it was at the beginning, with the map in the middle of the screen."""
    opened.locator("#layout").select_option("0")
    opened.evaluate("location.hash = ''")
    opened.locator("#fit").click()
    yield opened
    assert opened.wrong == []


def ink(page, canvas):
    """The pixels of a canvas."""
    return page.evaluate(
        "(id) => { const c = document.getElementById(id);"
        " return Array.from(c.getContext('2d').getImageData(0, 0, c.width, c.height).data); }",
        canvas,
    )


def middle(page):
    box = page.locator("#points").bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def frames(page):
    page.evaluate(
        "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 30))))"
    )


def test_it_asks_for_nothing_and_hostile_names_are_names(page):
    assert all(
        url == page.path.as_uri() or url.startswith(("data:", "blob:", page.path.as_uri())) for url in page.asked
    )
    assert page.locator("h1").inner_text() == HOSTILE
    button = page.locator("#legend button").first
    assert button.inner_text() == f"{HOSTILE[:15]}…{HOSTILE[-10:]}"  # all of it would not fit
    assert button.get_attribute("title").startswith(HOSTILE)
    assert page.locator("main img").count() == 0


def test_it_computes_what_the_models_compute(page, models, digits):
    X = digits.test.images[:3]
    for number, model in enumerate(models.values()):
        page.locator("#layout").select_option(str(number))
        for image, code in zip(X, model.transform(X), strict=True):
            found = page.evaluate("(x) => Array.from(latentmap.encode(x))", image.ravel().tolist())
            np.testing.assert_allclose(found, code, atol=1e-2 * np.abs(code).max())
            drawn = page.evaluate("(z) => Array.from(latentmap.decode(z))", code.tolist())
            np.testing.assert_allclose(drawn, model.inverse_transform(code[None]).ravel(), atol=1)


def test_what_is_under_the_cursor_is_decoded_and_far_from_all_data_veiled(page):
    x, y = middle(page)
    drawn = []
    for shift in (0, 60):
        page.mouse.move(x + shift, y)
        frames(page)
        drawn.append(ink(page, "decoded"))
    assert drawn[0] != drawn[1]
    box = page.locator("#points").bounding_box()
    for _ in range(6):
        page.mouse.wheel(0, 300)
    page.mouse.move(box["x"] + 3, box["y"] + 60)
    frames(page)
    assert page.locator("#veil").is_visible()


def test_another_model_decodes_what_is_under_the_cursor_at_once(page):
    page.mouse.move(*middle(page))
    frames(page)
    before = ink(page, "decoded")
    page.locator("#layout").select_option("2")
    frames(page)
    frames(page)
    after = ink(page, "decoded")
    assert after != before
    page.mouse.move(middle(page)[0] + 40, middle(page)[1])
    frames(page)
    page.mouse.move(*middle(page))
    frames(page)
    assert ink(page, "decoded") == after


def test_a_click_chooses_a_sample_and_arrows_go_on_from_it(page, digits):
    page.mouse.click(*middle(page))
    frames(page)
    first = page.evaluate("latentmap.sample")
    title = page.locator("#sample-title").inner_text()
    assert title.startswith(f"no. {first} · labelled ")
    assert title.endswith(CLASSES[digits.test.labels[first]])
    np.testing.assert_array_equal(ink(page, "original")[::4], digits.test.images[first].ravel())
    assert f"sample={first}" in page.evaluate("location.hash")
    page.locator("#points").press("ArrowRight")
    assert page.evaluate("latentmap.sample") != first
    page.locator("#neighbours button").first.click()
    assert page.locator("#said").inner_text() == page.locator("#sample-title").inner_text()


def test_dragging_moves_and_the_wheel_zooms_to_the_cursor(page):
    x, y = middle(page)
    before = page.evaluate("latentmap.view")
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 80, y, steps=4)
    page.mouse.up()
    after = page.evaluate("latentmap.view")
    assert (before["x"] - after["x"]) * before["scale"] == pytest.approx(80, abs=1)
    page.mouse.wheel(0, -400)
    frames(page)
    nearer = page.evaluate("latentmap.view")
    assert nearer["scale"] > 2 * after["scale"]
    # What was under the cursor, 80 pixels right of the middle, still is.
    assert nearer["x"] + 80 / nearer["scale"] == pytest.approx(after["x"] + 80 / after["scale"], abs=1e-3)


def test_everything_stays_in_sight_when_the_window_changes_until_one_looks_closer(page):
    whole = page.evaluate("latentmap.view.scale")
    page.set_viewport_size({"width": 1200, "height": 500})
    frames(page)
    assert page.evaluate("latentmap.view.scale") < whole
    page.locator("#points").press("+")
    nearer = page.evaluate("latentmap.view.scale")
    page.set_viewport_size({"width": 1200, "height": 800})
    frames(page)
    assert page.evaluate("latentmap.view.scale") == nearer


def test_a_file_that_is_dropped_is_encoded_and_one_that_is_no_image_is_refused(page, digits):
    drop = """async ([text, type]) => {
      const bytes = Uint8Array.from(atob(text), (one) => one.charCodeAt(0)), given = new DataTransfer();
      given.items.add(new File([bytes], "a file", { type }));
      document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: given, bubbles: true, cancelable: true }));
    }"""
    buffer = io.BytesIO()
    Image.fromarray(digits.test.images[0, :, :, 0]).save(buffer, "png")
    page.evaluate(drop, [base64.b64encode(buffer.getvalue()).decode(), "image/png"])
    # Not `wait_for_function`, which evaluates text: the policy of the page forbids that.
    page.locator("#verdict", has_text=" of its 10 nearest are labelled ").wait_for()
    page.evaluate(drop, [base64.b64encode(b"no image").decode(), "text/plain"])
    page.locator("#verdict", has_text="no image that").wait_for()
    page.locator("#clear").click()


def test_a_class_can_be_hidden_and_colours_mean_something_else(page, digits):
    page.evaluate("latentmap.select(0)")
    second = page.locator("#legend button").nth(1)
    second.click()
    assert second.get_attribute("aria-pressed") == "false"
    x, y = middle(page)
    for shift in range(-200, 201, 40):
        page.mouse.move(x + shift, y)
        frames(page)
        assert not page.locator("#nearest-caption").inner_text().endswith("class 1")
    page.locator("#legend button").nth(1).click()
    for colouring in ("error", "odd"):
        page.locator("#colouring").select_option(colouring)
        assert page.locator("#legend button").count() == 0
    page.locator("#colouring").select_option("class")
    assert page.locator("#legend button").count() == 10


def test_find_goes_to_a_sample_by_number_and_by_class(page, digits):
    page.locator("#find").fill("17")
    page.locator("#find").press("Enter")
    assert page.evaluate("latentmap.sample") == 17
    page.locator("#find").fill("class 4")
    page.locator("#find").press("Enter")
    assert digits.test.labels[page.evaluate("latentmap.sample")] == 4


def test_codes_of_many_numbers_have_directions_and_sliders(page):
    page.locator("#layout").select_option("1")
    page.evaluate("latentmap.select(3)")
    assert page.locator("#sliders input").count() == 6
    before = ink(page, "decoded")
    slider = page.locator("#sliders input").first
    slider.focus()
    for _ in range(20):
        slider.press("ArrowRight")
    assert ink(page, "decoded") != before
    view = page.evaluate("latentmap.view")
    page.locator("#up").select_option("4")
    assert page.evaluate("latentmap.view") != view


def test_a_drawn_image_lands_on_the_map(page, digits):
    pad = page.locator("#pad")
    pad.scroll_into_view_if_needed()
    box = pad.bounding_box()
    angles = np.linspace(0, 2 * np.pi, 24)
    points = [(0.5 + 0.22 * np.cos(a), 0.5 + 0.34 * np.sin(a)) for a in angles]
    page.mouse.move(box["x"] + points[0][0] * box["width"], box["y"] + points[0][1] * box["height"])
    page.mouse.down()
    for x, y in points[1:]:
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
    page.mouse.up()
    said = page.locator("#verdict").inner_text()
    assert re.match(r"\d+ of its 10 nearest are labelled ", said)
    assert said.split("labelled ", 1)[1].startswith(HOSTILE)  # a ring is a 0, whose class has that name
    page.locator("#clear").click()
    assert page.locator("#verdict").inner_text() == ""


def test_a_walk_goes_from_sample_to_sample(page):
    page.evaluate("latentmap.select(1)")
    page.locator("#walk-on").click()
    page.evaluate("latentmap.select(40)")
    assert page.locator("#walk-title").inner_text() == "From no. 1 to no. 40"
    assert page.locator("#film canvas").count() == 12
    before = ink(page, "decoded")
    page.locator("#scrub").fill("50")
    assert ink(page, "decoded") != before


def draw(page, *shares):
    """Drag over the map, from place to place in shares of it."""
    box = page.locator("#points").bounding_box()
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in shares]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=3)
    page.mouse.up()


def test_a_walk_goes_along_a_line_that_is_drawn_and_plays(page):
    page.locator("#tools button", has_text="Walk").click()
    draw(page, (0.02, 0.2), (0.5, 0.5), (0.98, 0.2))
    assert page.locator("#walk-title").inner_text() == "Along the line"
    scale, x, y = page.evaluate("[latentmap.view.scale, latentmap.view.x, latentmap.view.y]")
    box = page.locator("#points").bounding_box()
    page.locator("#scrub").fill("50")
    # Half way the line is in the middle of the map: what is decoded is that place's code.
    there = page.evaluate("(z) => Array.from(latentmap.decode(z))", [x, y])
    np.testing.assert_allclose(ink(page, "decoded")[::4], np.clip(np.round(there), 0, 255), atol=25 * 60 / scale)
    page.locator("#play-walk").click()
    page.wait_for_timeout(300)
    assert float(page.locator("#scrub").input_value()) > 51
    page.locator("#play-walk").click()
    stopped = page.locator("#scrub").input_value()
    frames(page)
    assert page.locator("#scrub").input_value() == stopped
    page.locator("#tools button", has_text="Move").click()
    assert box == page.locator("#points").bounding_box()


def test_a_line_from_a_sample_to_another_walks_between_them(page, models, digits):
    Z = models["flat"].transform(digits.test.images)
    view, box = page.evaluate("latentmap.view"), page.locator("#points").bounding_box()
    places = np.array([[view["x"], view["y"]]]) - Z
    shares = 0.5 + places * view["scale"] * [-1, 1] / [box["width"], box["height"]]
    ends = int(Z[:, 0].argmin()), int(Z[:, 0].argmax())
    page.keyboard.down("Alt")
    draw(page, *(shares[i] for i in ends))
    page.keyboard.up("Alt")
    assert page.locator("#walk-title").inner_text() == f"From no. {ends[0]} to no. {ends[1]}"
    page.locator("#scrub").fill("100")
    np.testing.assert_allclose(
        ink(page, "decoded")[::4], models["flat"].inverse_transform(Z[ends[1]][None]).ravel().astype(float), atol=1
    )


def test_density_is_a_backdrop_on_request(page):
    assert not page.locator("#density").is_visible()
    page.locator("#density-on").check()
    frames(page)
    shade = np.array(ink(page, "density"))[3::4]
    assert shade.max() > 100
    assert (shade == 0).any()
    before = ink(page, "density")
    page.locator("#points").press("+")
    frames(page)
    assert ink(page, "density") != before
    page.locator("#density-on").uncheck()


def test_t_sne_lays_out_long_codes_and_the_page_says_what_is_decoded_there(page):
    page.locator("#layout").select_option("0")
    assert page.locator("#axes-label").is_hidden()  # two numbers need none
    page.locator("#layout").select_option("1")
    assert page.locator("#shadow").is_hidden()
    page.locator("#across").select_option("tsne")
    assert page.locator("#shadow").inner_text().startswith("t-SNE knows no way back")
    assert page.locator("#up").is_hidden()
    page.mouse.click(*middle(page))
    near = page.evaluate("latentmap.sample")
    assert "axes=tsne" in page.evaluate("location.hash")
    shown = ink(page, "decoded")
    assert shown == ink(page, "reconstruction")  # wherever the cursor is near this sample, its code is decoded
    page.keyboard.down("Alt")
    draw(page, (0.3, 0.5), (0.7, 0.5))
    page.keyboard.up("Alt")
    page.locator("#scrub").fill("30")
    assert ink(page, "decoded") != shown
    assert near >= 0
    page.locator("#across").select_option("0")
    assert page.locator("#shadow").is_hidden()


def test_training_can_be_played_from_where_it_began(page, film, models, digits):
    assert page.locator("#training").is_visible()
    whole = page.evaluate("latentmap.view.scale")
    page.locator("#epoch").fill("0")
    assert page.locator("#epoch-said").inner_text() == "before the first epoch"
    assert page.locator("#shadow").inner_text().startswith("The network here is the trained one")
    assert page.evaluate("latentmap.view.scale") != whole
    # The sample under the cursor is the one that lay there then.
    Z = (
        film.codes[0]
        * models["flat"].transform(digits.test.images[film.rows]).std(axis=0)
        / film.codes[-1].std(axis=0)
    )
    view = page.evaluate("latentmap.view")
    page.mouse.click(*middle(page))
    nearest = ((Z - [view["x"], view["y"]]) ** 2).sum(axis=1).argsort()[:2]
    assert page.evaluate("latentmap.sample") in film.rows[nearest]
    page.locator("#epoch").fill("7")
    assert page.locator("#epoch-said").inner_text() == "after 7 epochs"
    page.locator("#epoch").fill(str(len(film.epochs)))
    assert page.locator("#shadow").is_hidden()
    assert page.evaluate("latentmap.view.scale") == pytest.approx(whole)
    page.locator("#play-training").click()
    page.wait_for_timeout(300)
    assert page.locator("#shadow").is_visible()
    page.locator("#play-training").click()
    page.locator("#layout").select_option("2")  # PCA was not trained
    assert page.locator("#training").is_hidden()


def test_what_is_drawn_around_is_selected_and_downloaded(page, models, digits):
    box = page.locator("#points").bounding_box()
    corners = [(0, 0), (1, 0), (1, 1), (0, 1)]
    places = [(box["x"] + 2 + x * (box["width"] - 4), box["y"] + 2 + y * (box["height"] - 60)) for x, y in corners]
    page.keyboard.down("Shift")
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place)
    page.mouse.up()
    page.keyboard.up("Shift")
    n = int(page.locator("#selection-title").inner_text().split()[0])
    assert 0.8 * 360 < n <= 360
    assert " on average, " in page.locator("#selection-facts").inner_text()
    with page.expect_download() as download:
        page.locator("#download").click()
    rows = pd.read_csv(download.value.path())
    assert len(rows) == n
    Z = models["flat"].transform(digits.test.images)[rows["row"]]
    np.testing.assert_allclose(rows[["z0", "z1"]], Z, atol=1e-3 * np.ptp(Z))
    assert list(rows["class"]) == [CLASSES[label] for label in digits.test.labels[rows["row"]]]


def test_panels_close_and_escape_leaves_what_was_drawn(page):
    draw_around = [(0.1, 0.1), (0.9, 0.1), (0.9, 0.8), (0.1, 0.8)]
    page.locator("#tools button", has_text="Select").click()
    draw(page, *draw_around)
    assert page.locator("#selection").is_visible()
    page.keyboard.press("Escape")
    assert page.locator("#selection").is_hidden()
    page.locator("#tools button", has_text="Walk").click()
    draw(page, *draw_around[:2])
    page.locator("#close-walk").click()
    assert page.locator("#walk").is_hidden()
    page.locator("#tools button", has_text="Move").click()
    page.evaluate("latentmap.select(2)")
    page.locator("#close-sample").click()
    assert page.evaluate("latentmap.sample") == -1


def test_a_walk_can_be_chosen_by_keyboard(page):
    page.evaluate("latentmap.select(1)")
    page.locator("#walk-on").click()
    for _ in range(3):
        page.locator("#points").press("ArrowRight")
    assert page.locator("#walk").is_hidden()
    page.locator("#points").press("Enter")
    assert page.locator("#walk-title").inner_text() == f"From no. 1 to no. {page.evaluate('latentmap.sample')}"
    assert page.locator("#hint").is_hidden()


def test_what_is_chosen_is_brought_into_sight_and_the_address_follows_the_view(page):
    x, y = middle(page)
    page.mouse.move(x, y)
    page.mouse.wheel(0, -1500)
    page.wait_for_timeout(500)
    nearer = page.evaluate("latentmap.view")
    assert f"%2C{nearer['scale']:.5g}" in page.evaluate("location.hash")
    for row in (0, 100, 200):
        page.evaluate("(row) => latentmap.select(row)", row)
    assert page.evaluate("latentmap.view") != nearer
    page.locator("#find").fill("nobody")
    page.locator("#find").press("Enter")
    assert page.locator("#hint").inner_text() == "Nothing here is called nobody."


def test_all_classes_come_back_at_once(page):
    page.locator("#legend button").nth(1).click(modifiers=["Shift"])
    hidden = page.locator("#legend button[aria-pressed=false]")
    assert hidden.count() == 9
    page.locator("#colouring").select_option("error")
    page.locator("#legend button", has_text="show all").click()
    page.locator("#colouring").select_option("class")
    assert hidden.count() == 0


def test_what_is_looked_at_first_where_neighbours_disagree_is_likely_mislabelled(page):
    page.locator("#colouring").select_option("odd")
    assert page.locator("#strangest-title").inner_text() == "Likely mislabelled"
    page.locator("#strangest button").first.click()
    assert re.search(
        r"(9|10) of the 10 nearest codes are of other classes", page.locator("#sample-facts").inner_text()
    )
    page.locator("#colouring").select_option("class")


def test_sliders_that_leave_all_data_are_veiled(page):
    page.locator("#layout").select_option("1")
    page.evaluate("latentmap.select(3)")
    assert page.locator("#veil").is_hidden()
    for number in range(6):
        slider = page.locator("#sliders input").nth(number)
        slider.fill(slider.get_attribute("max"))
    assert page.locator("#veil").is_visible()


def test_files_are_read_as_samples_are(page, digits):
    """In grey by luminance, on white where they are transparent, cut to shape in the middle."""
    image = np.zeros((20, 60, 4), np.uint8)
    image[:, :, 1], image[:, 20:40, 3] = 200, 255  # green in the middle, nothing at the sides
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "png")
    file = {"name": "green.png", "mimeType": "image/png", "buffer": buffer.getvalue()}
    page.locator("#file").set_input_files(file)
    page.locator("#verdict", has_text="labelled").wait_for()
    code = page.evaluate("Array.from(latentmap.encode(new Array(64).fill(0.587 * 200)))")
    drawn = np.array(page.evaluate("(z) => Array.from(latentmap.decode(z))", code))
    np.testing.assert_allclose(ink(page, "redrawn")[::4], np.clip(np.round(drawn), 0, 255), atol=2)
    page.locator("#layout").select_option("1")
    assert page.locator("#landed").is_visible()
    page.locator("#clear").click()


def test_what_is_no_sample_and_no_code_is_refused(page):
    for call in ("encode([1, 2, 3])", "decode([1])", "decode(3)"):
        said = page.evaluate(f"(() => {{ try {{ latentmap.{call} }} catch (error) {{ return error.message }} }})()")
        assert re.match(r"a (sample|code) must be (64|2) numbers, got", said)


def test_an_address_is_remembered(page, browser):
    page.evaluate("latentmap.select(5)")
    other = browser.new_page()
    other.goto(page.path.as_uri() + page.evaluate("location.hash"))
    other.evaluate("latentmap.ready")
    assert other.evaluate("latentmap.sample") == 5
    # With motion on, too: what was sent is not undone by points that are still on their way.
    other.goto(page.path.as_uri() + "#map=PCA&view=1,2,321&sample=7")
    other.reload()
    other.evaluate("latentmap.ready")
    other.wait_for_timeout(1200)
    assert other.evaluate("latentmap.view") == {"x": 1, "y": 2, "scale": 321}
    assert other.locator("#layout").input_value() == "2"
    other.close()


def test_random_input_breaks_nothing(page):
    rng = np.random.default_rng(0)
    until = time.monotonic() + (60 if os.environ.get("LATENTMAP_SLOW") else 3)
    while time.monotonic() < until:
        kind = rng.integers(7)
        if kind == 6:  # whatever can be pressed or chosen
            script = """(share) => {
              const kinds = "button:not(#download), select, input[type=range]";
              const all = [...document.querySelectorAll(kinds)].filter((one) => one.checkVisibility());
              const one = all[Math.floor(share * all.length)];
              if (one.tagName === "BUTTON") return one.click();
              if (one.tagName === "SELECT") one.selectedIndex = Math.floor(7 * share * one.length) % one.length;
              else one.value = Number(one.min) + ((97 * share) % 1) * (one.max - one.min);
              one.dispatchEvent(new Event(one.tagName === "SELECT" ? "change" : "input"));
            }"""
            page.evaluate(script, float(rng.random()))
            continue
        box = page.locator("#points").bounding_box()
        x, y = box["x"] + rng.random() * box["width"], box["y"] + rng.random() * box["height"]
        if kind == 0:
            page.mouse.click(x, y)
        elif kind == 1:
            page.mouse.move(x, y)
        elif kind == 2:
            page.mouse.wheel(0, float(rng.normal() * 2000))
        elif kind == 3:
            keys = ["ArrowUp", "ArrowLeft", "Tab", "+", "-", "0", "Enter", "Escape", "Space", "Shift+Tab"]
            page.keyboard.press(str(rng.choice(keys)))
        elif kind == 4:
            held = str(rng.choice(["Shift", "Alt", "Control"]))
            page.keyboard.down(held)
            page.mouse.down()
            page.mouse.move(x, y, steps=4)
            page.mouse.up()
            page.keyboard.up(held)
        else:
            page.set_viewport_size({"width": int(rng.integers(320, 1400)), "height": int(rng.integers(300, 900))})
    page.set_viewport_size({"width": 1200, "height": 800})
    page.reload()
    page.evaluate("latentmap.ready")


def test_errors_of_vectors_in_many_units_are_those_of_score():
    X = np.random.default_rng(0).normal(size=(200, 4)) * [1, 10, 100, 1000]
    ae = Autoencoder("linear", 2, epochs=1, random_state=0).fit(X[:150])
    data = json.loads(re.search(r'id="data">(.*?)</script>', explore(ae, X[150:]).html, re.DOTALL)[1])
    assert data["models"][0]["merits"]["mean squared error"] == pytest.approx(-ae.score(X[150:]), rel=1e-5)


def test_vectors_are_bars_and_numbers_colour_on_a_scale(browser, tmp_path):
    wine = latentmap.load_dataset("digits", size=8).train.images[:60].reshape(60, -1)[:, :12].astype(np.float32)
    ae = Autoencoder("linear", 3, epochs=2, random_state=0).fit(wine)
    weights = pd.Series(np.linspace(0, 100, 60), name="<i>weight")
    weights[:2] = np.nan
    path = explore(ae, wine, weights, feature_names=[HOSTILE] * 12).save(tmp_path / "vectors.html")
    page = browser.new_page()
    wrong = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(path.as_uri())
    page.evaluate("latentmap.ready")
    page.mouse.click(*middle(page))
    frames(page)
    assert page.locator("#bars .bar").count() == 12
    assert page.locator("#sample-title").inner_text().startswith("no. ")
    page.evaluate("latentmap.select(30)")
    assert page.locator("#sample-title").inner_text() == "no. 30 · <i>weight 50.8"
    assert page.locator("#colouring option").all_inner_texts() == ["<i>weight", "error"]
    low, high = map(float, page.locator("#legend span").inner_text().split())
    assert (3 < low < 5, 98 < high < 100) == (True, True)
    page.locator("#colouring").select_option("error")
    assert not wrong
    page.close()


@pytest.mark.parametrize(
    ("units", "range_"), [(1, r"-?[\d.]+ to [\d.]+"), ([1, 1000] * 30, "each from its least to its most")]
)
def test_many_features_are_curves_that_tell_what_is_pointed_at(browser, tmp_path, units, range_):
    rng = np.random.default_rng(0)
    places, widths = rng.uniform(10, 50, (80, 1)), rng.uniform(5, 15, (80, 1))
    X = ((1 + np.exp(-(((np.arange(60) - places) / widths) ** 2))) * units).astype(np.float32)
    ae = Autoencoder("linear", 2, epochs=1, random_state=0).fit(X)
    page = browser.new_page()
    wrong = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(explore(ae, X).save(tmp_path / "curves.html").as_uri())
    page.evaluate("latentmap.ready")
    page.evaluate("latentmap.select(7)")
    curves = page.locator("#sample-bars")
    heads, said = curves.locator(".bar-heads").first, curves.locator(".bar-heads").last
    assert re.fullmatch(rf"thick: decoded, thin: the sample\n{range_}", heads.inner_text())
    box = curves.locator("canvas").bounding_box()
    for share, i in ((0, 0), (0.999, 59)):
        page.mouse.move(box["x"] + share * box["width"], box["y"] + 5)
        name, decoded, own = re.fullmatch(r"(\w+): (\S+) decoded, (\S+) the sample", said.inner_text()).groups()
        number = [float(text.replace(",", "")) for text in (decoded, own)]
        assert name == f"x{i}"
        assert number == pytest.approx([ae.inverse_transform(ae.transform(X[7:8]))[0, i], X[7, i]], rel=0.006)
    assert not wrong
    page.close()


def test_a_sample_far_out_is_reached_by_zooming_out_and_the_others_are_no_dot(browser, tmp_path):
    X = np.random.default_rng(0).normal(size=(200, 3)).astype(np.float32)
    X[7] = 20_000
    path = explore(PcaBaseline(2).fit(np.delete(X, 7, axis=0)), X).save(tmp_path / "far.html")
    page = open_alone(browser, path)
    page.goto(path.as_uri())
    page.evaluate("latentmap.ready")
    size = page.locator("#points").bounding_box()
    scale = page.evaluate("latentmap.view").get("scale")
    assert size["height"] / scale < 20
    assert page.locator("#about").inner_text() == "200 samples as codes, 1 outside: zoom out"
    page.mouse.move(*middle(page))
    for _ in range(80):
        page.mouse.wheel(0, 400)
    frames(page)
    assert size["height"] / page.evaluate("latentmap.view").get("scale") > 40_000
    page.close()


@pytest.mark.parametrize(
    ("taken", "name", "ends", "one"),
    [
        (pd.date_range("2021-05-09", periods=60, freq="15D"), "taken", ["2021-05", "2023-10"], "2022-08-02"),
        (pd.date_range("1931-01-01", periods=60, freq="366D"), "taken", ["1931", "1989"], "1961-01-23"),
        (np.arange(1931.0, 1991), "year", ["1931", "1989"], "1961"),
    ],
)
def test_dates_are_written_as_dates(browser, tmp_path, taken, name, ends, one):
    X = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
    ae = Autoencoder("linear", 2, epochs=1, random_state=0).fit(X)
    page = open_alone(browser, None)
    page.goto(explore(ae, X, pd.Series(taken, name=name)).save(tmp_path / "dates.html").as_uri())
    page.evaluate("latentmap.ready")
    page.evaluate("latentmap.select(30)")
    assert page.locator("#sample-title").inner_text() == f"no. 30 · {name} {one}"
    assert page.locator("#legend span").inner_text().split() == ends
    assert not page.wrong


def test_rows_of_tables_are_found_by_their_number_in_the_file(browser, tmp_path):
    X = np.random.default_rng(0).normal(size=(300, 4)).astype(np.float32)
    dataset = latentmap.load_dataset(X)
    ae = Autoencoder("linear", 2, epochs=1, random_state=0).fit(dataset.train.X)
    page = open_alone(browser, None)
    page.goto(explore(ae, dataset).save(tmp_path / "rows.html").as_uri())
    page.evaluate("latentmap.ready")
    row = int(dataset.test.rows[3])
    for text in (f"{row}", f"#{row}", f"row {row}"):
        page.evaluate("latentmap.select(0)")
        page.locator("#find").fill(text)
        page.keyboard.press("Enter")
        assert page.locator("#sample-title").inner_text() == f"row {row}"
    absent = next(i for i in range(300) if i not in dataset.test.rows)
    page.locator("#find").fill(str(absent))
    page.keyboard.press("Enter")
    assert page.locator("#sample-title").inner_text() == f"row {row}"
    assert page.locator("#sample-bars .bar-heads").inner_text().split("\n") == ["bar: decoded", "line: the sample"]
    assert not page.wrong
    page.close()


def open_alone(browser, path):
    """A page of its own, and what went wrong in it."""
    page = browser.new_page(viewport={"width": 1000, "height": 700}, reduced_motion="reduce")
    page.wrong = []
    page.on("pageerror", lambda error: page.wrong.append(str(error)))
    return page


def test_on_a_phone_one_finger_looks_and_two_zoom(browser, page):
    context = browser.new_context(viewport={"width": 390, "height": 800}, has_touch=True, color_scheme="dark")
    phone = context.new_page()
    phone.goto(page.path.as_uri())
    phone.evaluate("latentmap.ready")
    assert phone.locator("#hint").is_visible()
    assert phone.locator("#hint").inner_text().startswith("Draw a finger over the map")
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390
    before, drawn = phone.evaluate("latentmap.view"), ink(phone, "decoded")
    touch = """([type, ...fingers]) => fingers.forEach(([id, x, y]) => document.getElementById("points").dispatchEvent(
      new PointerEvent(type, { pointerId: id, pointerType: "touch", clientX: x, clientY: y, bubbles: true })))"""
    phone.evaluate("HTMLCanvasElement.prototype.setPointerCapture = () => {}")  # these pointers are not the browser's
    x, y = middle(phone)
    phone.evaluate(touch, ["pointerdown", [1, x, y]])
    phone.evaluate(touch, ["pointermove", [1, x + 60, y + 30]])
    frames(phone)
    assert ink(phone, "decoded") != drawn
    assert phone.evaluate("latentmap.view") == before
    phone.evaluate(touch, ["pointerdown", [2, x - 60, y]])
    phone.evaluate(touch, ["pointermove", [2, x - 120, y]])
    assert phone.evaluate("latentmap.view.scale") > before["scale"]
    context.close()


def test_without_webgl_the_map_is_drawn_all_the_same(browser, page):
    plain = open_alone(browser, page.path)
    plain.add_init_script(
        "const made = HTMLCanvasElement.prototype.getContext;"
        "HTMLCanvasElement.prototype.getContext = function (kind, ...more) {"
        " return kind === 'webgl' ? null : made.call(this, kind, ...more); };"
    )
    plain.goto(page.path.as_uri())
    plain.evaluate("latentmap.ready")
    frames(plain)
    drawn = "document.getElementById('points').getContext('2d').getImageData(0, 0, 700, 500).data.some((one) => one)"
    assert plain.evaluate(drawn)
    plain.mouse.click(*middle(plain))
    assert plain.evaluate("latentmap.sample") >= 0
    assert not plain.wrong
    plain.close()


def test_of_many_classes_the_largest_are_named_and_shapes_tell_too(browser, models, digits, tmp_path):
    labels = np.minimum(np.arange(360) % 70, 59)  # the last is the largest
    path = explore(models["PCA"], digits.test.images, labels).save(tmp_path / "many.html")
    page = open_alone(browser, path)
    page.goto(path.as_uri())
    page.evaluate("latentmap.ready")
    named = page.locator("#legend button").all_inner_texts()
    assert len(named) == 40
    assert named[-1] == "59"
    assert page.locator("#legend span").inner_text() == "20 more"
    assert page.locator("#legend i.triangle").count() == 11  # the largest is one
    assert not page.wrong
    page.close()


def test_in_a_notebook_it_works_though_it_is_cut_off(browser, models, digits):
    page = open_alone(browser, None)
    page.set_content(explore(models["PCA"], digits.test.images, digits.test.labels)._repr_html_())
    frame = page.frames[1]
    frame.evaluate("latentmap.ready")
    frame.evaluate("latentmap.select(3)")
    assert frame.locator("#sample-title").inner_text().startswith("no. 3")
    assert not page.wrong
    page.close()


def test_a_large_map_is_drawn_thinner_while_it_moves_and_whole_when_still(browser, tmp_path):
    X = np.random.default_rng(0).normal(size=(30_000, 3)).astype(np.float32)
    path = explore(Autoencoder("linear", 2, epochs=1, random_state=0).fit(X[:500]), X, limit=30_000).save(
        tmp_path / "l.html"
    )
    page = open_alone(browser, path)
    page.add_init_script(
        "window.drawn = []; const draw = WebGLRenderingContext.prototype.drawArrays;"
        "WebGLRenderingContext.prototype.drawArrays = function (kind, first, n) {"
        " drawn.push(n); const until = performance.now() + 40; while (performance.now() < until);"
        " return draw.call(this, kind, first, n); };"
    )
    page.goto(path.as_uri())
    page.evaluate("latentmap.ready")
    for _ in range(3):
        page.locator("#fit").click()
        frames(page)
    page.mouse.move(*middle(page))
    page.mouse.down()
    page.mouse.move(middle(page)[0] + 50, middle(page)[1], steps=3)
    frames(page)
    assert page.evaluate("drawn.at(-1)") <= 15_000
    page.mouse.up()
    page.wait_for_timeout(500)
    assert page.evaluate("drawn.at(-1)") == 30_000
    assert not page.wrong
    page.close()


def test_a_slow_network_does_not_hold_up_the_pointer(browser, tmp_path):
    X = np.random.default_rng(0).integers(0, 256, (20, 8, 8, 1), np.uint8)
    ae = Autoencoder("linear", 16, epochs=1, random_state=0).fit(X)
    path = explore(ae, X, tsne=False).save(tmp_path / "slow.html")
    page = open_alone(browser, path)
    page.goto(path.as_uri())
    page.evaluate("latentmap.ready")
    page.evaluate("""() => {
      const now = performance.now.bind(performance);
      performance.now = () => { // decoding, which is timed, is slow on any machine
        const until = now() + 40;
        while (now() < until);
        return now();
      };
      window.frames_seen = window.painted = 0;
      const put = CanvasRenderingContext2D.prototype.putImageData;
      CanvasRenderingContext2D.prototype.putImageData = function (...given) {
        painted++;
        return put.apply(this, given);
      };
      const count = () => { frames_seen++; requestAnimationFrame(count); };
      requestAnimationFrame(count);
    }""")
    x, y = middle(page)
    for i in range(60):
        page.mouse.move(x + i, y)
        page.wait_for_timeout(10)
    painted, seen = page.evaluate("[painted, frames_seen]")
    assert 1 <= painted < seen / 2
    assert not page.wrong
    page.close()


# A 3 as people write it: two bows, in shares of the pad.
THREE = [(0.32, 0.24), (0.42, 0.17), (0.55, 0.16), (0.66, 0.22), (0.68, 0.33), (0.6, 0.42), (0.47, 0.46), (0.6, 0.5)]
THREE += [(0.69, 0.59), (0.69, 0.72), (0.6, 0.81), (0.46, 0.84), (0.33, 0.78)]


@pytest.mark.mnist
def test_a_drawn_3_lands_among_the_threes_of_mnist(browser, tmp_path):
    mnist = latentmap.load_dataset("mnist").limit(6000)
    ae = Autoencoder("dense", 2, epochs=10, random_state=0).fit(mnist.train.images)
    path = explore(ae, mnist.test.images, mnist.test.labels).save(tmp_path / "mnist.html")
    page = open_alone(browser, path)
    page.goto(path.as_uri())
    page.evaluate("latentmap.ready")
    page.locator("#pad").scroll_into_view_if_needed()
    box = page.locator("#pad").bounding_box()
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in THREE]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place)
    page.mouse.up()
    assert re.match(r"([6-9]|10) of its 10 nearest are labelled 3", page.locator("#verdict").inner_text())
    assert not page.wrong
    page.close()


@pytest.mark.parametrize("n", [1, 2])
def test_a_sample_or_two_are_enough(models, digits, n):
    assert f'"shape": [{n}]' in explore(models, digits.test.images[:n], digits.test.labels[:n]).html


def test_samples_are_thinned_evenly_and_the_page_says_so(models, digits):
    html = explore(models["PCA"], digits.test.images, digits.test.labels, limit=50).html
    assert '"of": 360' in html
    assert '"shape": [50]' in html


def test_a_class_that_is_not_known_disagrees_with_none(models, digits):
    labels = np.where(np.arange(360) % 2, digits.test.labels, -1)
    html = explore(models["PCA"], digits.test.images, labels, class_names=CLASSES, tsne=False).html
    packed = json.loads(re.search(r'id="data">(.*?)</script>', html, re.DOTALL)[1])["models"][0]
    odd = np.frombuffer(base64.b85decode(packed["odd"]["bytes"]), "<f4")
    assert (odd[::2] == 0).all()
    assert odd[1::2].max() <= 1
    assert odd[1::2].any()
    assert packed["merits"]["mean squared error"] > 0


def test_in_a_notebook_it_shows_itself_cut_off_from_the_rest(models, digits):
    shown = explore(models["PCA"], digits.test.images[:5])._repr_html_()
    assert shown.startswith('<iframe srcdoc="&lt;!DOCTYPE html&gt;')
    assert 'sandbox="allow-scripts allow-downloads"' in shown


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"X": np.zeros((0, 8, 8, 1), np.uint8)}, "X must hold at least one image or vector"),
        ({"labels": [1, 2]}, "labels must be as many as samples, got 2 for 5"),
        ({"limit": 0}, "limit must be"),
        ({"tsne": {"other": None}}, "tsne must be of models that are shown, got one of 'other'"),
        ({"names": ["x"]}, "names must be 5, one for each, got 1"),
        ({"X": np.zeros((5, 4)), "feature_names": ["x"]}, "feature_names must be 4, one for each, got 1"),
        ({"labels": [0, 1, 2, 3, 9], "class_names": ["a", "b"]}, "labels must be numbers from 0 to 1, .* got 9"),
        ({"labels": list("abcde"), "class_names": ["a", "b"]}, "Leave class_names out where labels are names"),
        ({"models": {}}, "models must hold at least one"),
        (
            {"films": {"other": CodeFilm(np.zeros((5, 8, 8, 1)))}},
            "films must be of models that are shown, got .*other",
        ),
        ({"films": CodeFilm(np.zeros((4, 8, 8, 1)))}, "is of 4 samples, X has 5"),
        ({"films": CodeFilm(np.zeros((5, 8, 8, 1)))}, r"not of the training of 'PCA \(2\)'"),
    ],
)
def test_bad_input_is_refused_in_one_line(arguments, words, models, digits):
    given = {"models": models["PCA"], "X": digits.test.images[:5]} | arguments
    with pytest.raises(ValueError, match=words):
        explore(**given)


@pytest.mark.filterwarnings("error")
def test_frames_and_datasets_are_taken_as_plots_take_them():
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(40, 3)), columns=["pressure", "b", "c"])
    ae = Autoencoder("linear", 2, epochs=1, random_state=0).fit(frame)
    html = explore(ae, frame, np.where(frame.b > 0, "up", None)).html
    assert "pressure" in html
    assert '"classes": ["up"]' in html  # "(no label)" is none
    assert explore([ae], frame[["c", "b", "pressure"]]).html.count("pressure") == html.count("pressure")
    dataset = load_dataset(frame.assign(kind=["u", "v"] * 20), label="kind")
    first = f"row {dataset.test.rows[0]}"
    np.testing.assert_allclose(frame.to_numpy()[dataset.test.rows], dataset.test.X, rtol=1e-5)
    assert dataset.test.called(0) == dataset.test.few(2).called(0) == first
    assert f'"{first}"' in explore(ae, dataset).html
    turned = Autoencoder("linear", 2, epochs=1, random_state=0).fit(frame[["c", "b", "pressure"]])
    errors = turned.anomaly_score(pd.DataFrame(dataset.test.X[:, ::-1], columns=["c", "b", "pressure"]))
    facts = re.search(r'"mean squared error": ([\d.e-]+)', explore(turned, dataset).html)
    assert float(facts[1]) == pytest.approx(errors.mean(), rel=1e-3)
    with pytest.raises(ValueError, match="the same columns in the same order"):
        explore([ae, turned], frame)
    html = explore({"mine": ae}, dataset).html
    assert all(f'"{name}"' in html for name in ("mine", "u", "v", "pressure"))
    with pytest.raises(ValueError, match="labels must be left out"):
        explore(ae, dataset, [1] * 8)


def test_a_file_that_is_no_page_of_ours_stays(tmp_path):
    path = tmp_path / "notes.html"
    path.write_text("my own")
    page = explore(Autoencoder("linear", 2, epochs=1).fit(np.eye(9)), np.eye(9))
    with pytest.raises(OutputError, match="holds something else than is to be written there"):
        page.save(path)
    assert path.read_text() == "my own"
    assert page.save(page.save(tmp_path / "page.html")).read_text() == page.html
    assert page.save(path, overwrite=True).read_text() == page.html


def test_what_is_packed_can_be_read_back():
    Z = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    packed = quantized(Z)
    steps = np.frombuffer(base64.b85decode(packed["bytes"]), "<u2").reshape(50, 3)
    np.testing.assert_allclose(packed["low"] + steps * packed["step"], Z, atol=1e-3 * np.ptp(Z) / 10)
    assert numbers(np.zeros(3, np.int32))["type"] == "int32"
    few = sheets(np.zeros((3, 200, 100, 3), np.uint8))
    assert (few["tile"], len(few["sheets"])) == ([64, 32], 1)


def test_a_film_of_another_model_is_refused(models, film, digits):
    X = digits.test.images
    other = Autoencoder("dense", 2, epochs=20, random_state=1).fit(digits.train.images)
    for model in (other, models["PCA"]):
        with pytest.raises(ValueError, match="the film is not of the training of 'one'"):
            explore({"one": model}, X, films={"one": film})
    assert '"film": null' not in explore({"one": models["flat"]}, X, films={"one": film}).html


def test_of_a_pipeline_the_page_says_what_to_pass(digits):
    X = digits.train.images.reshape(len(digits.train.images), -1)
    pipeline = make_pipeline(StandardScaler(), Autoencoder(epochs=1)).fit(X)
    with pytest.raises(ValueError, match=r"Pass its last step and what that sees: explore\(pipeline\[-1\], "):
        explore(pipeline, X)
    explore(pipeline[-1], pipeline[:-1].transform(X))


def test_names_that_are_shortened_stay_different(models, digits):
    names = [f"Species number {i:03} of the long names of all these classes" for i in range(10)]
    page = explore(models["flat"], digits.test.images, digits.test.labels, class_names=names).html
    data = json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)[1])
    assert data["classes"] == names
    assert len(set(data["short"])) == 10
    assert all(f"{i:03}" in name and len(name) <= 26 for i, name in enumerate(data["short"]))
