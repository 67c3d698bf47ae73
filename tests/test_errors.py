"""Texts of users as messages, pages and pictures write them."""

import pytest

from latentmap.errors import printable


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("caf\udce9", r"caf\xe9"),
        ("\x1b[31mred\x07", r"\x1b[31mred\x07"),
        ("\u202ebackwards\ud800", r"\u202ebackwards\ud800"),
        ("two\nlines and\ta tab", "two lines and a tab"),
        (
            "\u4e2d\u6587 \U0001f600 \u0639\u200c\u0631 <b>$x$</b>",
            "\u4e2d\u6587 \U0001f600 \u0639\u200c\u0631 <b>$x$</b>",
        ),
    ],
)
def test_names_are_written_so_that_anything_can_show_them(text, written):
    assert printable(text) == written
    written.encode("utf-8")
