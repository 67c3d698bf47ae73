"""What many tests share: small data, small fitted models, and the rule that decides whether MNIST's tests run."""

from __future__ import annotations

import copy
import gc
import os
import signal
import uuid
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from latentmap import Autoencoder, Dataset, load_dataset
from latentmap.models import MODELS


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip tests of MNIST where its files are not at hand: the suite runs offline."""
    root = os.environ.get("LATENTMAP_DATA")
    here = root is not None and (Path(root) / "mnist" / "train-images-idx3-ubyte.gz").is_file()
    if item.get_closest_marker("mnist") is not None and not here:
        pytest.skip("needs the MNIST files: set LATENTMAP_DATA to the folder above mnist/")


def pytest_configure() -> None:
    """Let Ctrl-C be what tests of it expect: a shell's background jobs are begun with it ignored.

    Garbage is looked for less often: among all that libraries hold it takes a tenth of the suite's time.
    """
    gc.set_threshold(100_000, 20, 50)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def coarse_pictures() -> Iterator[None]:
    """Draw with few dots an inch: the same artists in a fraction of the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("latentmap.report.figures.canvas.DPI", 40)
        yield


@pytest.fixture(scope="session")
def digits() -> Dataset:
    """The digits at 32x32."""
    return load_dataset("digits")


@pytest.fixture(scope="session")
def small() -> Dataset:
    """200 digits of each split as they are, 8x8."""
    return load_dataset("digits", size=None).limit(200)


@pytest.fixture(scope="session")
def vectors() -> np.ndarray:
    """300 vectors of 6 features in one unit; the last three follow from the first three."""
    free = np.random.default_rng(0).normal(size=(300, 3))
    return np.hstack([free, free @ [[1.0, 0.2, 0.0], [0.0, 1.0, 0.3], [0.1, 0.0, 1.0]]]) + 5.0


@pytest.fixture(scope="session")
def fitted_models(small: Dataset) -> dict[str, Autoencoder]:
    """Every architecture, trained a little on small images; not to be changed by a test."""
    sizes = {"residual": {"width": 48, "depth": 2}}  # its own take as long as all others together
    return {
        name: Autoencoder(name, 3, model_params=sizes.get(name), epochs=2, random_state=0).fit(small.train.images)
        for name in sorted(MODELS)
    }


@pytest.fixture(params=sorted(MODELS))
def fitted(request: pytest.FixtureRequest, fitted_models: dict[str, Autoencoder]) -> Autoencoder:
    """Each of `fitted_models` in turn, the test's own copy."""
    return copy.deepcopy(fitted_models[request.param])


@pytest.fixture(scope="session", autouse=True)
def _short_growth():
    """Reports fit networks of two sizes, not seven, for the picture of growing codes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("latentmap.report.figures.growth.SIZES", (1, 2))
        yield


@pytest.fixture(scope="session")
def s3_server():
    """A server on this machine that speaks S3's protocol; what reaches it, for the environment."""
    server = pytest.importorskip("moto.server", reason="needs moto: pip install '.[dev]'").ThreadedMotoServer(
        ip_address="127.0.0.1", port=0, verbose=False
    )
    server.start()
    host, port = server.get_host_and_port()
    yield {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    server.stop()


class Bucket:
    """A bucket of the server."""

    def __init__(self, client, name):
        self.client, self.name = client, name
        client.create_bucket(Bucket=name)

    def upload(self, folder, prefix):
        for path in sorted(Path(folder).rglob("*")):
            if path.is_file():
                self.client.upload_file(str(path), self.name, f"{prefix}/{path.relative_to(folder).as_posix()}")

    def keys(self, prefix=""):
        listed = self.client.list_objects_v2(Bucket=self.name, Prefix=prefix)
        return sorted(one["Key"] for one in listed.get("Contents", []))


@pytest.fixture
def bucket(s3_server, monkeypatch):
    """A bucket of object storage, which addresses of s3:// reach."""
    for name, value in s3_server.items():
        monkeypatch.setenv(name, value)
    import boto3

    return Bucket(boto3.client("s3"), f"bucket-{uuid.uuid4().hex[:8]}")
