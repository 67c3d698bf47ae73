"""The same by a cluster of Ray: models and codes are those of one machine, whatever is killed meanwhile."""

import contextlib
import json
import os
import random
import threading
import time
from functools import partial
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from latentmap import Autoencoder, distributed, load_dataset
from latentmap.data.source import ReadOptions
from latentmap.distributed.cluster import map_over
from latentmap.distributed.encoding import encode_parts
from latentmap.errors import DatasetError
from latentmap.models.modes import threads
from latentmap.training import Callback
from tests.training.test_ranks import flat, together

SLOW = bool(os.environ.get("LATENTMAP_SLOW"))

pytest.importorskip("ray", reason="needs Ray: pip install '.[ray]'")
pytestmark = pytest.mark.filterwarnings("default")  # Ray uses what it deprecates itself


@pytest.fixture(scope="module")
def nodes():
    """The nodes with a processor each of a cluster of four, whose first only organises; by default one node of two."""
    import ray
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("OMP_NUM_THREADS", "1")
        if SLOW:
            cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
            cluster.working = [cluster.add_node(num_cpus=1) for _ in range(3)]
            ray.init(cluster.address)
            yield cluster
            ray.shutdown()
            cluster.shutdown()
        else:
            ray.init("local", num_cpus=2, include_dashboard=False)
            yield None
            ray.shutdown()


def one_of(kind):
    """One of the processes in which models are trained, or codes are made."""
    found = [one for one in psutil.process_iter(["cmdline"]) if kind in " ".join(one.info["cmdline"] or [])]
    return random.choice(found)  # noqa: S311


def kill_a(kind):
    """Kill one of these processes."""
    one_of(kind).kill()


def write(folder, X, n_files):
    """Write samples as Parquet files."""
    folder.mkdir(exist_ok=True)
    for i, rows in enumerate(np.array_split(np.arange(len(X)), n_files)):
        column = pa.FixedShapeTensorArray.from_numpy_ndarray(np.ascontiguousarray(X[rows]))
        pq.write_table(pa.table({"x": column}), folder / f"{i}.parquet", row_group_size=33)


class Kills(Callback):
    """Does something at some moment after some epochs, each once; counts how often training began."""

    def __init__(self, *kills):
        self.kills, self.begun = list(kills), 0

    def on_train_begin(self, plan):  # noqa: ARG002
        self.begun += 1

    def on_epoch_end(self, record):
        while self.kills and record.epoch >= self.kills[0][0]:
            time.sleep(random.random() / 10)  # noqa: S311
            self.kills.pop(0)[1]()


def estimator(callbacks=()):
    return Autoencoder("dense", 2, epochs=30, patience=30, random_state=0, callbacks=list(callbacks))


def learned(path):
    ae = estimator().fit(np.load(path))
    return flat(ae.module_.parameters()), ae.history_


def test_a_model_is_that_of_no_cluster_though_workers_and_a_node_are_killed(nodes, tmp_path):
    # A worker takes half a minute to begin anew: two are killed, and a node, where there is time for it (`make soak`).
    num_workers = 2 if SLOW else 1
    X = load_dataset("digits", size=None).train.X
    path = tmp_path / "X.npy"
    np.save(path, X)
    with threads(1):
        weights, history = together(2, tmp_path, learned, path)[0] if SLOW else learned(path)

    def kill_a_node():
        parent = one_of("RayTrainWorker").ppid()
        lost = next(one for one in nodes.working if one.all_processes["raylet"][0].process.pid == parent)
        nodes.remove_node(lost, allow_graceful=False)

    def kill_one():
        kill_a("RayTrainWorker")

    moments = [(4, kill_one), (9, kill_one), (14, kill_one), (20, kill_a_node)] if SLOW else []
    kills = Kills(*moments)
    ae = estimator([kills])
    found = distributed.fit(ae, X, num_workers=num_workers, storage=tmp_path / "run", checkpoint_every=0)
    assert found is ae
    assert not kills.kills
    assert kills.begun >= (3 if SLOW else 1)
    np.testing.assert_array_equal(flat(ae.module_.parameters()), weights)
    timed = ("seconds", "images_per_second")
    for row, other in zip(ae.history_, history, strict=True):
        assert {k: v for k, v in row.items() if k not in timed} == {k: v for k, v in other.items() if k not in timed}
    assert not (tmp_path / "run").exists()


@pytest.mark.usefixtures("nodes")
@pytest.mark.skipif(not SLOW, reason="half a minute: set LATENTMAP_SLOW=1")
def test_a_fault_of_the_data_ends_it_and_is_one_line(tmp_path):
    np.save(tmp_path / "X.npy", np.full((20, 3), np.nan))
    with pytest.raises(DatasetError, match="nan in row 0"):
        distributed.fit(estimator(), tmp_path / "X.npy", num_workers=2)


@pytest.mark.usefixtures("nodes")
@pytest.mark.skipif(not SLOW, reason="a third of a minute: set LATENTMAP_SLOW=1")
def test_codes_are_those_of_one_process_though_a_worker_is_killed(tmp_path, monkeypatch):
    monkeypatch.setattr("latentmap.distributed.encoding._PART_ROWS", 64)
    X = load_dataset("digits", size=None).train.X
    write(tmp_path, X, 5)
    dataset = load_dataset(tmp_path, test_fraction=0)
    ae = Autoencoder("dense", 3, epochs=1, random_state=0).fit(dataset.train.X)
    shares, killed = [], []

    def kill_one():  # beside, for none is at work for long while this program looks at what came
        while not killed and len(shares) < 20:
            with contextlib.suppress(IndexError):
                killed.append(kill_a("ray::_call"))

    killer = threading.Thread(target=kill_one)

    def watch(done, n, unreadable):
        shares.append(done / n)
        if len(shares) == 5:
            killer.start()

    how = ReadOptions(reading=dataset.reading, test_fraction=0)
    output = tmp_path / "codes"
    run = partial(map_over, 2, None)
    assert encode_parts(ae, how, str(tmp_path), str(output), run=run, on_part=watch) == (len(X), 0)
    killer.join()
    assert killed
    codes = pa.concat_tables([pq.read_table(part) for part in sorted(output.glob("part-*"))])
    Z = np.column_stack([codes[f"z{i + 1}"].to_numpy() for i in range(3)])
    np.testing.assert_array_equal(Z, ae.transform(dataset.train.X))
    assert len(shares) > 20
    assert shares == sorted(shares)
    assert shares[-1] == 1


@pytest.mark.usefixtures("nodes")
def test_commands_share_the_work(latentmap):
    def done(*words):
        found = latentmap(*words)
        assert found.status == 0, found.err
        return found

    shared = ("--workers", "2")
    write(Path("in"), load_dataset("digits").train.X[:300], 3)
    done("fit", "digits", "-o", "model", "--epochs", "1", "--model", "linear", "--seed", "0")
    alone = json.loads(done("evaluate", "model", "digits", "--json").out)
    assert json.loads(done("evaluate", "model", "digits", "--json", *shared).out) == alone
    for name, words in (("alone", ()), ("parts", shared)):
        done("encode", "model", "in", "-o", name, *words)
    parts, whole = (pq.read_table(name) for name in ("parts", "alone"))
    assert parts.equals(whole)
    assert len(parts) == 300
    if SLOW:
        sizes = ("sweep", "digits", "--model", "linear", "--epochs", "1", "--latent-dims", "1,2", "--json")
        alone = json.loads(done(*sizes).out)
        assert json.loads(done(*sizes, *shared).out) == alone
        done("fit", "digits", "-o", "shared", "--epochs", "2", "--seed", "0", *shared)
        assert done("info", "shared").status == 0
        again = latentmap("fit", "digits", "-o", "shared", "--epochs", "2", "--seed", "0", *shared)
        assert again.status == 1
        assert "shared exists" in again.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("fit", "digits", "-o", "model", "--storage", "run"), "--address and --storage go with --workers"),
        (("fit", "digits", "-o", "model", "--address", "auto"), "--address and --storage go with --workers"),
        (("evaluate", "model", "digits", "--workers", "2", "--runtime", "onnx"), "--runtime must be torch"),
        (("fit", "digits", "-o", "model", "--workers", "0"), "greater than or equal to 1"),
    ],
)
def test_what_cannot_be_is_said_before_anything_starts(latentmap, words, message):
    done = latentmap(*words)
    assert done.status != 0
    assert message in done.err
