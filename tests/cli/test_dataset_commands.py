import pytest

from ..data.test_builtin import ZIPPED, small_mnist, write
from .test_frame import is_one_line


@pytest.fixture
def few_digits(monkeypatch):
    from latentmap.data.builtin import IDX_DATASETS

    monkeypatch.setitem(IDX_DATASETS, "mnist", small_mnist())


def test_data_lists_what_is_here_and_how_to_get_the_rest(latentmap, tmp_path, few_digits):
    write(tmp_path / "here" / "mnist")
    done = latentmap("data", "--data-dir", "here")
    assert (done.status, done.err) == (0, "")
    lines = {line.split()[0]: line for line in done.out.splitlines()}
    assert list(lines) == ["digits", "mnist", "fashion_mnist", "kmnist"]
    assert lines["digits"].endswith("comes with scikit-learn")
    assert lines["mnist"].endswith("here/mnist")
    assert lines["kmnist"].endswith("not here yet; fetch it with: latentmap data kmnist")


def test_data_checks_what_is_here_and_says_what_it_holds(latentmap, tmp_path, few_digits):
    write(tmp_path / "here" / "mnist")
    done = latentmap("data", "mnist", "--data-dir", "here")
    assert (done.status, done.out) == (0, "mnist: 12 training and 5 test images, 28x28x1, 10 classes, in here/mnist\n")
    done = latentmap("data", "digits")
    assert done.out == "digits: 1,437 training and 360 test images, 8x8x1, 10 classes, in scikit-learn\n"


def test_data_says_what_is_wrong_with_what_is_here(latentmap, tmp_path, few_digits):
    write(tmp_path / "here" / "mnist", {name: content[:-40] for name, content in ZIPPED.items()})
    done = latentmap("data", "mnist", "--data-dir", "here")
    is_one_line(done, 1)
    assert "train-images-idx3-ubyte.gz is a truncated or corrupt gzip file" in done.err
