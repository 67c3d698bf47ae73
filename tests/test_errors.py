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


def test_a_message_that_quotes_a_name_with_a_newline_is_one_line(tmp_path):
    import pickle
    import zipfile

    import numpy as np

    from latentmap import load_dataset
    from latentmap.errors import DatasetError

    with zipfile.ZipFile(tmp_path / "x.npz", "w") as file:
        for name in ("X\n.npy", "z.npy"):
            with file.open(name, "w") as member:
                np.save(member, np.zeros((20, 8, 8), np.uint8))
    with pytest.raises(DatasetError, match="must hold one of X, x, images, data") as caught:
        load_dataset(tmp_path / "x.npz")
    assert len(str(caught.value).splitlines()) == 1
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)  # noqa: S301
