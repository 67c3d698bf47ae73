"""The page stands alone, says what the numbers say, and trusts no text."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from latentmap.report.page import Row, best_texts, groups
from latentmap.report.words import against_pca, captions, percent_apart, remarks
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


def test_nothing_is_asked_of_the_network(html):
    assert not re.search(r"(https?:)?//[a-z]", re.sub(r"base64,[A-Za-z0-9+/=]+", "", html))
    assert "@import" not in html
    page = Elements(html)
    assert not page.all("script")
    assert all(image["src"].startswith("data:image/png;base64,") for image in page.all("img"))
    assert all(link["href"].startswith("#") for link in page.all("a"))


def test_every_picture_has_words_and_a_size(html):
    page = Elements(html)
    assert page.open == []
    assert len(page.all("img")) == len(page.all("figure")) == len(page.all("figcaption")) == 9
    assert all(len(image["alt"]) > 20 and int(image["width"]) > 0 for image in page.all("img"))


def test_links_lead_somewhere(html):
    page = Elements(html)
    ids = [attrs["id"] for _, attrs in page.found if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert {link["href"][1:] for link in page.all("a")} <= set(ids)


def test_the_page_adapts(html):
    assert "prefers-color-scheme: dark" in html
    assert 'name="viewport"' in html
    assert len(html) < 3_000_000


def test_every_model_and_the_command_are_there(report, html):
    text = " ".join(Elements(html).text)
    for name in ("dense", longer(report), "map", "linear", "pca-2", "pca-6"):
        assert name in text
    assert "latentmap report x" in text
    assert ("kNN accuracy" in text) == (report.story.dataset.test.labels is not None)
    assert ("no labels" in text) == (report.story.dataset.test.labels is None)


def test_text_is_escaped(nasty_report):
    html = nasty_report.page.read_text(encoding="utf-8")
    assert "<script>" not in html
    assert "&lt;script&gt;alert" in html
    assert "<i>" not in html


def test_the_best_of_each_size_is_marked(report):
    two, six = groups(report.story)
    assert [row.name for row in two.rows] == ["dense", "map", "linear", "pca-2"]
    assert [row.name for row in six.rows] == [longer(report), "pca-6"]
    assert all(isinstance(row, Row) for row in two.rows)
    assert any(row.cells[0].best for row in two.rows)


def test_what_looks_equal_is_equally_good():
    assert best_texts([("0.10", 0.1, -1), ("0.20", 0.2, -1)]) == {"0.10"}
    assert best_texts([("0.1", 0.1, 1), ("–", None, 1), ("0.2", 0.2, 1)]) == {"0.2"}
    assert best_texts([("3", 3.0, 0), ("4", 4.0, 0)]) == set()


def with_mse(model, mse):
    return replace(model, evaluation=replace(model.evaluation, test_mse=mse))


def test_remarks_follow_the_numbers(report):
    models = {model.name: model for model in report.story.models}
    dense, pca = models["dense"], models["pca-2"]
    assert "40% lower" in against_pca(with_mse(dense, 0.03), with_mse(pca, 0.05), report.story)
    assert "equally well" in against_pca(with_mse(dense, 0.05), with_mse(pca, 0.05), report.story)
    beaten = with_mse(dense, 0.06), with_mse(pca, 0.05)
    pca.model.explained_variance_ratio_, before = 0.99999, pca.model.explained_variance_ratio_
    assert "next to nothing left" in against_pca(*beaten, report.story)
    assert "more than 99.99%" in against_pca(*beaten, report.story)
    pca.model.explained_variance_ratio_ = 0.5
    assert "PCA beats dense" in against_pca(*beaten, report.story)
    assert "next to nothing" not in against_pca(*beaten, report.story)
    pca.model.explained_variance_ratio_ = before


def test_linear_is_judged_as_the_check_it_is(report):
    linear = next(model for model in report.story.models if model.name == "linear")
    pca = next(model for model in report.story.models if model.name == "pca-2")
    assert "2.0% above PCA's" in against_pca(with_mse(linear, 0.051), with_mse(pca, 0.05), report.story)
    assert percent_apart(0.05, 0.05) == "the same as"
    assert percent_apart(0.04, 0.05) == "20.0% below"


def test_missing_labels_are_said(report):
    unlabelled = report.story.dataset.test.labels is None
    assert any("no labels" in remark for remark in remarks(report.story)) == unlabelled
    assert ("k-means" in captions(report.story)["generated"].text) == unlabelled
