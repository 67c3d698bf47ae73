"""The same images and latent size through Latentmap and its peers: seconds, peak memory and quality in one table.

Each method has a process of its own, with the same number of threads and no accelerator. There its libraries are
imported and the uint8 images loaded; then it is fitted, encodes the test images, and decodes their codes.

- *fit* and *encode* (of all test images) are seconds; *decode* is seconds per 1,000 codes, measured on the test codes
  or, where a note says so, on fewer. Imports, and the conversion to the floats that peers want, are in no time. Fit is
  a first one: what a library only loads or compiles then is in it (seconds of PyTorch's optimizers for pythae, tens of
  seconds of numba for UMAP). Encoding and decoding run on 20 samples first, so there it is not.
- *peak* is the high-water mark of the process's resident memory in MiB; *own* is what that is above the libraries and
  the uint8 images: the float copy that most peers need counts.
- *test MSE* is per pixel with pixels in [0, 1], of the codes that were decoded. *kNN* is the accuracy of 10 neighbours
  among the training codes on the test codes; *trust* is the trustworthiness of 5,000 test codes, drawn once, with 12.

A method runs with its own defaults but for what its note says. One that is not installed, fails or takes too long is
named with the reason, and what it had done by then is shown. ``pip install -r bench/requirements.txt`` gets the peers.

*1-NN* and *5-NN* are the same with fewer neighbours; *k-means* is the share of test codes in the cluster that stands
for their class, of as many clusters as classes; *cont* is continuity, of the same codes as trustworthiness.

Run: ``LATENTMAP_DATA=... python -m bench.peers [--short] [--limit 10000] [--latent-dim 2] [--only pca umap]``
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from bench.scaling import MIB, peak_memory

# Heavy libraries are imported where they are used: the process that starts the others must stay small, since a
# child's high-water mark begins with its parent's.

_WARM = 20  # samples encoded and decoded before the clock runs
_SPLITS = ("train", "train_labels", "test", "test_labels")


class Method:
    """A way to encode and decode, as the benchmark drives it; made before memory is counted, so imports are free."""

    title: str
    n_decode: int | None = None  # how many codes to decode; None is all of the test split
    note = ""
    model: Any  # what `fit`, `transform` and `inverse_transform` are asked of

    def prepare(self, images: np.ndarray) -> np.ndarray:
        """Samples as the method wants them: float32 rows, of images in [0, 1]."""
        rows = images.reshape(len(images), -1).astype(np.float32)
        if images.dtype == np.uint8:
            rows /= 255
        return rows

    def fit(self, X: np.ndarray) -> None:
        """Learn."""
        self.model.fit(X)

    def codes_of_training(self, X: np.ndarray) -> np.ndarray:
        """The codes of what was learned from; not timed."""
        return self.transform(X)

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Encode."""
        return np.asarray(self.model.transform(X))

    def inverse_transform(self, Z: np.ndarray) -> np.ndarray | None:
        """Decode, to what `prepare` returns; None for a method that cannot."""
        return np.asarray(self.model.inverse_transform(Z))


OUR_PARAMS = {"map": {"model": "residual", "objective": "neighbors"}}
"""Arguments of Latentmap's estimator, where a name stands for more than its architecture."""


class _Latentmap(Method):
    """One of Latentmap's models, on the uint8 images as they are."""

    def __init__(self, options: argparse.Namespace, model: str) -> None:
        from latentmap import Autoencoder

        name, _, seed = model.partition("@")
        params = OUR_PARAMS.get(name, {"model": name})
        self.model = Autoencoder(**params, latent_dim=options.latent_dim, random_state=int(seed or 0))

    def prepare(self, images: np.ndarray) -> np.ndarray:
        return images

    def fit(self, X: np.ndarray) -> None:
        self.note = f"{self.model.fit(X).n_iter_} epochs"


class _Pca(Method):
    title = "PCA (scikit-learn)"

    def __init__(self, options: argparse.Namespace) -> None:
        from sklearn.decomposition import PCA

        self.model = PCA(options.latent_dim, random_state=0)


class _Umap(Method):
    """umap-learn, without a seed: with one it would use a single thread."""

    title = "UMAP (umap-learn)"

    def __init__(self, options: argparse.Namespace) -> None:
        from umap import UMAP

        self.model = UMAP(n_components=options.latent_dim, n_jobs=options.threads)
        self.n_decode = 20 if options.short else 100
        self.note = f"no seed; decoded {self.n_decode} codes"

    def codes_of_training(self, X: np.ndarray) -> np.ndarray:  # known from fitting
        return np.asarray(self.model.embedding_)


class _OpenTsne(Method):
    """openTSNE, which places new samples but does not decode."""

    title, note = "t-SNE (openTSNE)", "cannot decode"

    def __init__(self, options: argparse.Namespace) -> None:
        from openTSNE import TSNE

        self.model = TSNE(options.latent_dim, n_jobs=options.threads, random_state=0)

    def fit(self, X: np.ndarray) -> None:
        self.model = self.model.fit(X)

    def codes_of_training(self, X: np.ndarray) -> np.ndarray:  # known from fitting
        return np.asarray(self.model)

    def inverse_transform(self, Z: np.ndarray) -> None:
        """Not at all."""


class _Pythae(Method):
    """pythae's AE with its default networks (one hidden layer of 512) and its default trainer."""

    title = "pythae AE"

    def __init__(self, options: argparse.Namespace) -> None:
        from pythae.models import AE, AEConfig
        from pythae.pipelines import TrainingPipeline
        from pythae.trainers import BaseTrainerConfig

        config = BaseTrainerConfig(output_dir=options.folder)  # it always saves the model
        if options.short:
            config.num_epochs = 5
        self.model = AE(AEConfig(input_dim=(1, 32, 32), latent_dim=options.latent_dim))
        self.pipeline = TrainingPipeline(self.model, config)
        self.note = f"{config.num_epochs} epochs" + ("" if options.short else ", its default")

    def prepare(self, images: np.ndarray) -> np.ndarray:
        return super().prepare(images).reshape(-1, 1, *images.shape[1:3])

    def fit(self, X: np.ndarray) -> None:
        self.pipeline(train_data=X)
        self.model = self.pipeline.trainer._best_model.eval()

    def transform(self, X: np.ndarray) -> np.ndarray:
        import torch

        with torch.inference_mode():
            return np.asarray(self.model.embed(torch.from_numpy(X)).numpy())

    def inverse_transform(self, Z: np.ndarray) -> np.ndarray:
        import torch

        with torch.inference_mode():
            return np.asarray(self.model.decoder(torch.from_numpy(Z)).reconstruction.numpy())


class _Mlp(Method):
    """scikit-learn's MLPRegressor, taught to return its input; its halves are run by hand.

    The layers are those of Latentmap's dense model, but MLPRegressor has its activation on the code too, and no
    sigmoid. A ReLU there often dies and leaves every image one code, so tanh has a row as well.
    """

    title = "MLPRegressor, ReLU"
    widths = (128, 64, 32)
    activation = "relu"

    def __init__(self, options: argparse.Namespace) -> None:
        from sklearn.neural_network import MLPRegressor

        layers = (*self.widths, options.latent_dim, *self.widths[::-1])
        most = 20 if options.short else 200
        self.model = MLPRegressor(hidden_layer_sizes=layers, activation=self.activation, max_iter=most, random_state=0)

    def fit(self, X: np.ndarray) -> None:
        self.model.fit(X, X)
        # No early stopping on a validation part, as by default; it stops when the training loss no longer falls.
        self.note = f"{self.model.n_iter_} of at most {self.model.max_iter} epochs, tol {self.model.tol:g}"

    def transform(self, X: np.ndarray) -> np.ndarray:
        return self._run(X, 0, len(self.widths) + 1)

    def inverse_transform(self, Z: np.ndarray) -> np.ndarray:
        return self._run(Z, len(self.widths) + 1, self.model.n_layers_ - 1)

    def _run(self, X: np.ndarray, first: int, stop: int) -> np.ndarray:
        """Through the layers from `first` to before `stop`; all but the very last have the activation."""
        for i in range(first, stop):
            X = X @ self.model.coefs_[i] + self.model.intercepts_[i]
            if i < self.model.n_layers_ - 2:
                X = np.maximum(X, 0, out=X) if self.activation == "relu" else np.tanh(X, out=X)
        return X


class _MlpTanh(_Mlp):
    title, activation = "MLPRegressor, tanh", "tanh"


PEERS: dict[str, type[Method]] = {
    "pca": _Pca,
    "umap": _Umap,
    "opentsne": _OpenTsne,
    "pythae": _Pythae,
    "mlp": _Mlp,
    "mlp-tanh": _MlpTanh,
}
OURS = "latentmap-"


def method_of(name: str, options: argparse.Namespace) -> Method:
    """A method by the name that ``--only`` takes."""
    return _Latentmap(options, name.removeprefix(OURS)) if name.startswith(OURS) else PEERS[name](options)


def prepare_data(options: argparse.Namespace) -> None:
    """Write the images where every method's process finds them, and say what they are and which models there are."""
    from bench.data import benchmark_dataset
    from latentmap.models import MODELS, ConvAutoencoder

    dataset = benchmark_dataset(short=options.short, source=options.source)
    train = dataset.train.few(options.limit or len(dataset.train))
    folder = Path(options.folder)
    for name, array in zip(_SPLITS, (train.X, train.labels, dataset.test.X, dataset.test.labels), strict=True):
        np.save(folder / f"{name}.npy", np.asarray(array))
    # The convolutional model has a code size of its own, and is only compared at that.
    others = [name for name in MODELS if name not in ("dense", "conv")]
    conv = ["conv"] if options.latent_dim == ConvAutoencoder().latent_dim else []
    facts = {"dataset": dataset.name, "n_train": len(train), "n_test": len(dataset.test)}
    methods = [f"{OURS}{name}" for name in ("dense", "map", *others, *conv)] + list(PEERS)
    (folder / "facts.json").write_text(json.dumps({**facts, "methods": methods}), encoding="utf-8")


def measure(name: str, options: argparse.Namespace) -> None:
    """Run one method in a process that has done nothing else; figures are written after each stage."""
    figures: dict[str, Any] = {}

    def keep(**more: Any) -> None:
        figures.update(more)
        (Path(options.folder) / f"{name}.json").write_text(json.dumps(figures), encoding="utf-8")

    try:
        _measure(name, options, keep)
    except ImportError as error:
        keep(problem=f"cannot be imported: {error} (bench/requirements.txt)")
    except Exception as error:  # a peer may fail in any way, and the others shall run
        keep(problem=f"{type(error).__name__}: {error}")


def _measure(name: str, options: argparse.Namespace, keep: Any) -> None:
    """The stages: fit, encode, decode, and, when memory has been read, scores."""
    method = method_of(name, options)
    train, train_labels, test, test_labels = (np.load(Path(options.folder) / f"{split}.npy") for split in _SPLITS)
    base = peak_memory()

    def keep_peak(**more: Any) -> None:
        peak = peak_memory()
        keep(peak_mib=peak / MIB, own_mib=(peak - base) / MIB, note=method.note, **more)

    X_train, X_test = method.prepare(train), method.prepare(test)
    start = time.perf_counter()
    method.fit(X_train)
    keep_peak(fit_seconds=time.perf_counter() - start)
    method.transform(X_test[:_WARM])
    start = time.perf_counter()
    Z_test = method.transform(X_test)
    keep_peak(encode_seconds=time.perf_counter() - start)
    Z_train = method.codes_of_training(X_train)
    dead = int((np.ptp(Z_train, axis=0) == 0).sum())
    if dead:
        method.note += f"; {dead} of {Z_train.shape[1]} code numbers are the same for every image"
    decode_problem = None
    X_hat = None
    try:
        Z = Z_test[: method.n_decode]
        if method.inverse_transform(Z[:_WARM]) is not None:
            start = time.perf_counter()
            X_hat = method.inverse_transform(Z)
            keep_peak(decode_seconds_per_1000=(time.perf_counter() - start) / len(Z) * 1000, n_decoded=len(Z))
    except Exception as error:  # codes can be scored without decoding
        decode_problem = f"decoding failed, {type(error).__name__}: {error}"
    np.save(Path(options.folder) / f"{name}.codes.npy", Z_test)  # for a picture
    keep(**scores(Z_train, train_labels, Z_test, test, test_labels))
    if X_hat is not None:
        unit = 255 if X_test.dtype == np.uint8 else 1
        X = X_test[: len(X_hat)].reshape(len(X_hat), -1) / np.float32(unit)
        difference = X_hat.reshape(X.shape) / np.float32(unit) - X
        keep(test_mse=float(np.mean(difference**2, dtype=np.float64)))
    if decode_problem is not None:
        keep(problem=decode_problem)


def scores(
    Z_train: np.ndarray, train_labels: np.ndarray, Z_test: np.ndarray, test: np.ndarray, test_labels: np.ndarray
) -> dict[str, float | None]:
    """What codes are worth, by the definitions that every report of Latentmap uses."""
    from latentmap.analysis import cluster_accuracy, continuity, knn_accuracy, trustworthiness

    return {
        "knn_accuracy": knn_accuracy(Z_train, train_labels, Z_test, test_labels),
        "nearest_accuracy": knn_accuracy(Z_train, train_labels, Z_test, test_labels, n_neighbors=1),
        "accuracy_of_5": knn_accuracy(Z_train, train_labels, Z_test, test_labels, n_neighbors=5),
        "cluster_accuracy": cluster_accuracy(Z_test, test_labels),
        "trustworthiness": trustworthiness(test, Z_test),
        "continuity": continuity(test, Z_test),
    }


def run_apart(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """One method's figures, from a process of its own; a `problem` among them if it could not finish."""
    # Several libraries, several words for one thing.
    variables = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
    environment = {**os.environ, **dict.fromkeys(variables, str(options.threads)), "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, "-m", "bench.peers", *sys.argv[1:], "--worker", name, "--folder", options.folder]
    problem = ""
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as log:
        try:
            done = subprocess.run(
                command, stdout=log, stderr=log, timeout=options.timeout, env=environment, check=False
            )
            if done.returncode:
                log.seek(0)
                problem = f"its process ended with status {done.returncode}. {log.read().strip().split(chr(10))[-1]}"
        except subprocess.TimeoutExpired:
            problem = f"stopped after {options.timeout:,.0f} s"
    written = Path(options.folder) / f"{name}.json"
    figures: dict[str, Any] = json.loads(written.read_text(encoding="utf-8")) if written.exists() else {}
    return {"method": name, **figures, **({"problem": problem} if problem else {})}


COLUMNS = (
    ("fit_seconds", "fit s", 9, ".2f"),
    ("encode_seconds", "encode s", 10, ".3f"),
    ("decode_seconds_per_1000", "decode s/1,000", 16, ".4f"),
    ("peak_mib", "peak", 8, ",.0f"),
    ("own_mib", "own", 8, ",.0f"),
    ("test_mse", "test MSE", 10, ".5f"),
    ("knn_accuracy", "kNN", 8, ".3f"),
    ("nearest_accuracy", "1-NN", 8, ".3f"),
    ("accuracy_of_5", "5-NN", 8, ".3f"),
    ("cluster_accuracy", "k-means", 9, ".3f"),
    ("trustworthiness", "trust", 8, ".3f"),
    ("continuity", "cont", 8, ".3f"),
)


def line(figures: dict[str, Any]) -> str:
    """A row of the table: figures, a dash for what there is none of, and notes."""
    cells = "".join(
        f"{'-' if figures.get(key) is None else format(figures[key], spec):>{width}}"
        for key, _, width, spec in COLUMNS
    )
    name = figures["method"]
    title = PEERS[name].title if name in PEERS else f"Latentmap {name.removeprefix(OURS)}"
    remarks = [" ".join(figures[key].split())[:160] for key in ("problem", "note") if figures.get(key)]
    return f"{title:24}{cells}  {'; '.join(remarks)}"


def compare(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Prepare the data, run each method, print each row as it comes, and return the rows."""
    command = [sys.executable, "-m", "bench.peers", *sys.argv[1:], "--worker", "data", "--folder", options.folder]
    subprocess.run(command, check=True)
    facts = json.loads((Path(options.folder) / "facts.json").read_text(encoding="utf-8"))
    methods = facts.pop("methods")
    unknown = {name.partition("@")[0] for name in options.only or []} - set(methods)
    if unknown:
        sys.exit(f"--only must name some of {', '.join(methods)}, got {', '.join(sorted(unknown))}.")
    print(
        f"{facts['dataset']}, {facts['n_train']:,} training and {facts['n_test']:,} test samples, "
        f"codes of {options.latent_dim} numbers, {options.threads} threads; MiB of memory"
    )
    print(f"{'':24}" + "".join(f"{title:>{width}}" for _, title, width, _ in COLUMNS), flush=True)
    rows = []
    for name in options.only or methods:
        rows.append(run_apart(name, options))
        print(line(rows[-1]), flush=True)
    if options.json:
        settings = {"latent_dim": options.latent_dim, "threads": options.threads}
        Path(options.json).write_text(json.dumps({**facts, **settings, "rows": rows}, indent=1), encoding="utf-8")
    return rows


def make_parser(description: str | None) -> argparse.ArgumentParser:
    """The command line of a comparison."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="digits and fewer epochs: shows that it runs")
    parser.add_argument("--limit", type=int, metavar="N", help="the first N training samples only")
    parser.add_argument("--latent-dim", type=int, default=2)
    parser.add_argument("--only", nargs="+", metavar="NAME", help="latentmap-dense, pca, umap, ...")
    parser.add_argument("--timeout", type=float, default=1800, help="seconds for a method (default: 1800)")
    parser.add_argument("--threads", type=int, default=int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1))
    parser.add_argument("--json", metavar="FILE", help="also keep the figures here")
    parser.add_argument("--source", help="other data than MNIST: digits, fashion_mnist, breast_cancer, wine")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    return parser


def main() -> None:
    parser = make_parser(__doc__)
    options, others = parser.parse_known_args()
    if others and not options.worker:  # a worker of `bench.map` is given its options too
        parser.error(f"unrecognized arguments: {' '.join(others)}")
    if options.worker == "data":
        prepare_data(options)
    elif options.worker:
        measure(options.worker, options)
    else:
        with tempfile.TemporaryDirectory() as options.folder:
            compare(options)


if __name__ == "__main__":
    main()
