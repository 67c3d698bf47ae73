"""The page stands alone, says what the numbers say, and trusts no text."""

import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from latentmap.report.figures import FIGURES
from latentmap.report.measured import apart
from latentmap.report.page import Value, best_texts, groups
from latentmap.report.remarks import against_pca, percent_apart, remarks
from tests.report.conftest import longer


class Elements(HTMLParser):
    """Every start tag of a page with its attributes, and the text outside of style."""

    def __init__(self, html):
        super().__init__()
        self.found, self.text, self.open = [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in {"meta", "link", "img"}:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)

    def all(self, tag):
        return [attrs for name, attrs in self.found if name == tag]


@pytest.fixture
def html(report):
    return report.page.read_text(encoding="utf-8")


def test_what_columns_mean_and_seconds_are_told_with_spaces_between(html):
    assert "; <b>" in html
    assert not re.search(r";<b>|may overlap:\s+\w+ [\d.]+,\w", html)


def test_nothing_is_asked_of_the_network(html):
    assert not re.search(r"(https?:)?//[a-z]", re.sub(r"base64,[A-Za-z0-9+/=]+", "", html))
    assert "@import" not in html
    page = Elements(html)
    assert not page.all("script")
    assert all(image["src"].startswith("data:image/png;base64,") for image in page.all("img"))
    assert all(link["href"].startswith("#") or link["href"] == "explorer.html" for link in page.all("a"))


def test_every_picture_has_words_and_a_size(html):
    page = Elements(html)
    assert page.open == []
    assert len(page.all("img")) == len(page.all("figure")) == len(page.all("figcaption")) == len(FIGURES)
    assert all(len(image["alt"]) > 20 and int(image["width"]) > 0 for image in page.all("img"))


def test_links_lead_somewhere(html):
    page = Elements(html)
    ids = [attrs["id"] for _, attrs in page.found if "id" in attrs]
    assert len(ids) == len(set(ids))
    links = [link["href"] for link in page.all("a")]
    assert links[0] == "explorer.html"
    assert {link.removeprefix("#") for link in links[1:]} <= set(ids)


def test_the_page_adapts(html):
    assert "prefers-color-scheme: dark" in html
    assert 'name="viewport"' in html
    assert len(html) < 3_000_000


def test_every_model_and_the_command_are_there(report, html):
    text = " ".join(Elements(html).text)
    for name in ("dense", longer(report), "map", "linear", "pca-2", "pca-6"):
        assert name in text
    assert "latentmap report x" in text
    assert "is better; <b>" in html
    assert ("kNN accuracy" in text) == (report.experiment.dataset.test.labels is not None)
    assert ("no labels" in text) == (report.experiment.dataset.test.labels is None)


def test_text_is_escaped(nasty_report):
    html = nasty_report.page.read_text(encoding="utf-8")
    assert "<script>" not in html
    assert "&lt;script&gt;alert" in html
    assert "<i>" not in html
    assert r"caf\xe9\x1b[31m" in html


def test_the_best_of_each_size_is_marked(report):
    two, six = groups(report.experiment)
    assert [row["name"] for row in two["rows"]] == ["dense", "map", "linear", "pca-2"]
    assert [row["name"] for row in six["rows"]] == [longer(report), "pca-6"]
    marked = any(is_best for row in two["rows"] for _, is_best in row["cells"][:1])
    errors = [model.evaluation.errors for model in report.experiment.models if model.latent_dim == 2]
    assert marked == any(apart(one, min(errors, key=np.mean)) for one in errors)


def caption(report, name):
    """What the page says below a figure."""
    (figure,) = (figure for figure in FIGURES if figure.name == name)
    return figure.caption(report.results[name], report.experiment).text


HITS = np.arange(36) < 33


@pytest.mark.parametrize(
    ("column", "best"),
    [
        ([Value("0.10", -1, np.full(9, 0.1)), Value("0.20", -1, np.full(9, 0.2))], {"0.10"}),
        ([Value("0.1", 1, np.full(9, 0.1)), Value("–", 1, None), Value("0.2", 1, np.full(9, 0.2))], {"0.2"}),
        ([Value("0.10", -1, np.full(9, 0.1)), Value("0.10", -1, np.full(9, 0.1))], set()),
        ([Value("3"), Value("4")], set()),
        ([Value("91.7%", 1, HITS), Value("94.4%", 1, HITS | (np.arange(36) == 33))], set()),  # one sample of 36
        ([Value("91.7%", 1, HITS), Value("94.4%", 1, np.arange(36) < 34), Value("50.0%", 1, np.arange(36) < 18)],
         {"91.7%", "94.4%"}),
    ],
)  # fmt: skip
def test_a_star_is_for_more_than_noise(column, best):
    assert best_texts(column) == best


def scored(model, test_mse, train_mse=0.05):
    """The same model with other errors, alike on all samples."""
    errors = np.full_like(model.evaluation.errors, test_mse)
    return replace(model, evaluation=replace(model.evaluation, test_mse=test_mse, errors=errors, train_mse=train_mse))


def some_models(report):
    """The map of 2 numbers, the check of it, and PCA, by name."""
    return {model.name: model for model in report.experiment.models}


def test_remarks_follow_the_numbers(report):
    models = some_models(report)
    dense, pca = models["dense"], models["pca-2"]
    assert "40% lower" in against_pca(scored(dense, 0.03), scored(pca, 0.05), report.experiment)
    assert "equally well" in against_pca(scored(dense, 0.05), scored(pca, 0.05), report.experiment)
    beaten = scored(dense, 0.06), scored(pca, 0.05)
    pca.model.explained_variance_ratio_, before = 0.99999, pca.model.explained_variance_ratio_
    assert "next to nothing left" in against_pca(*beaten, report.experiment)
    assert "more than 99.99%" in against_pca(*beaten, report.experiment)
    pca.model.explained_variance_ratio_ = before


@pytest.mark.parametrize(
    ("train_mse", "said"),
    [
        (0.058, "does so too, 0.0500 against 0.0580: dense underfits. More epochs or a larger network may help, more"),
        (0.0525, "may help, and so may more data: on the test"),
        (0.045, "dense is ahead, 0.0450 against 0.0500: 120 are too few"),
        (0.05, "PCA beats dense: its test error is 0.0500 against 0.0600."),
    ],
)
def test_why_pca_wins_is_computed_or_not_stated(report, train_mse, said):
    models = some_models(report)
    text = against_pca(scored(models["dense"], 0.06, train_mse), scored(models["pca-2"], 0.05), report.experiment)
    assert said in text
    assert sum(word in text for word in ("underfits", "too few")) == (train_mse != 0.05)


def test_classes_smaller_than_the_neighbours_counted_are_pointed_out(report):
    labels = report.experiment.dataset.train.labels
    said = [remark for remark in remarks(report.experiment, report.results) if "fewer than 10 training" in remark]
    assert len(said) == (labels is not None and np.bincount(labels).min() < 10)
    assert all("20 of 20 classes have" in remark for remark in said)


def test_what_the_test_samples_cannot_tell_apart_is_no_victory(report):
    models = some_models(report)
    dense, pca = scored(models["dense"], 0.06), scored(models["pca-2"], 0.05)
    dense.evaluation.errors[:] = np.where(np.arange(60) == 7, 0.65, 0.05)
    assert "60 test" in against_pca(dense, pca, report.experiment)
    assert "cannot tell dense and PCA apart" in against_pca(dense, pca, report.experiment)


def test_outliers_are_pointed_out(report):
    assert not any("Outliers" in remark for remark in remarks(report.experiment, report.results))
    models = list(report.experiment.models)
    models[0].evaluation.errors[7], before = 1000, models[0].evaluation.errors[7]
    said = next(remark for remark in remarks(report.experiment, report.results) if "Outliers" in remark)
    models[0].evaluation.errors[7] = before
    assert "the worst sample makes" in said
    assert "under dense (" in said
    assert "The very worst is no. 7" in said
    assert ("by its feature x" in said) != report.experiment.dataset.is_images
    errors = models[0].evaluation.errors
    before, errors[:] = errors.copy(), 1e-9
    errors[7] = 1e-6  # half of nothing
    assert not any("Outliers" in remark for remark in remarks(report.experiment, report.results))
    errors[:] = before


def test_linear_is_judged_as_the_check_it_is(report):
    models = some_models(report)
    linear, pca = models["linear"], models["pca-2"]
    assert "2.0% above PCA's" in against_pca(scored(linear, 0.051), scored(pca, 0.05), report.experiment)
    assert percent_apart(0.05, 0.05) == "the same as"
    assert percent_apart(0.04, 0.05) == "20.0% below"


def test_a_tick_promises_no_majority(report):
    assert "most of the 10" not in caption(report, "generated")


BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
SILENT = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
SILENT += "--disable-component-update --disable-sync --allow-file-access-from-files"


@pytest.mark.skipif(BROWSER is None, reason="needs a browser: install chromium")
@pytest.mark.parametrize("width", [390, 1280])
def test_in_a_browser_only_what_says_so_scrolls_sideways(nasty_report, tmp_path, width):
    (tmp_path / "frame.html").write_text(f"""<iframe src="{nasty_report.page.as_uri()}" width="{width}" onload="
      const page = this.contentDocument, all = [...page.querySelectorAll('figure')];
      const wide = all.map(one => one.querySelector('.scroll')).filter(box => box.scrollWidth > box.clientWidth + 1);
      const hints = all.map(one => one.querySelector('.sideways')).filter(hint => hint.offsetHeight > 0);
      document.title = [page.documentElement.scrollWidth, wide.length, hints.length].join(' ');"></iframe>""")
    words = (*SILENT.split(), f"--user-data-dir={tmp_path / 'user'}", "--dump-dom", tmp_path / "frame.html")
    html = subprocess.run([BROWSER, *words], capture_output=True, text=True, check=True, timeout=120).stdout
    across, wide, hints = map(int, re.search(r"<title>(.*?)</title>", html).group(1).split())
    assert across <= width
    assert wide == hints == (len(FIGURES) if width < 600 else 0)


def test_missing_labels_are_said(report):
    unlabelled = report.experiment.dataset.test.labels is None
    assert any("no labels" in remark for remark in remarks(report.experiment, report.results)) == unlabelled
    assert ("k-means" in caption(report, "generated")) == unlabelled
