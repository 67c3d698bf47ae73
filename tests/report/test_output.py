"""Pictures as files: what is written, and which folders may be replaced."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from latentmap.data.preprocessing import Preprocessing
from latentmap.errors import OutputError
from latentmap.report.output import write_figure, write_images

PREPROCESSING = Preprocessing((4, 4), "uint8", np.zeros(()), np.float64(255))


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_decoded_images_are_replaced_by_others(tmp_path):
    for n in (3, 2):
        write_images(tmp_path / "images", np.full((n, 4, 4), 100.0 + n), PREPROCESSING)
        assert names(tmp_path / "images") == [f"{i:05d}.png" for i in range(n)]
        assert np.asarray(Image.open(tmp_path / "images" / "00001.png")).tolist() == [[100 + n] * 4] * 4
    assert names(tmp_path) == ["images"]


@pytest.mark.parametrize(("scale", "known"), [(4095.0, None), (1.0, (0.0, 4095.0))])
def test_deep_images_keep_their_depth_and_colours_become_bytes(tmp_path, scale, known):
    deep = Preprocessing((4, 4, 1), "float32", np.zeros(()), np.float64(scale))
    X = np.linspace(-0.1, 1.1, 16).reshape(1, 4, 4, 1)
    write_images(tmp_path / "images", X * scale, deep, known)
    found = np.asarray(Image.open(tmp_path / "images" / "00000.png"))
    assert found.dtype == np.uint16
    np.testing.assert_array_equal(found, np.clip(np.round(X[0, ..., 0] * 4095), 0, 65535))
    write_images(tmp_path / "colours", X.repeat(3, axis=3) * scale, deep, known)
    assert np.asarray(Image.open(tmp_path / "colours" / "00000.png")).max() == 255


@pytest.mark.parametrize("foreign", ["00000.png", "00007.png", "1.jpg", "notes.txt"])
def test_numbered_pictures_of_others_are_left_alone(tmp_path, foreign):
    write_images(tmp_path / "images", np.zeros((3, 4, 4)), PREPROCESSING)
    Image.new("L", (4, 4), 7).save(tmp_path / "images" / foreign, format="png")
    with pytest.raises(OutputError, match="images exists and holds something else than is to be written there"):
        write_images(tmp_path / "images", np.zeros((3, 4, 4)), PREPROCESSING)
    assert np.asarray(Image.open(tmp_path / "images" / foreign)).tolist() == [[7] * 4] * 4


def test_a_figure_goes_where_a_link_points(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "map.png").symlink_to("disk/map.png")
    for _ in range(2):
        write_figure(Figure(figsize=(1, 1)), tmp_path / "map.png")
    assert (tmp_path / "map.png").is_symlink()
    assert names(tmp_path / "disk") == ["map.png"]
