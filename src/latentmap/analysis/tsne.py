"""t-SNE of codes: a picture of neighbourhoods, made by openTSNE."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from latentmap.analysis.neighbours import knn_accuracy_within
from latentmap.analysis.transformers import Brief, FloatArray, IntArray, as_classes, as_samples, drawn_rows

MOST_SAMPLES = 5000
PERPLEXITY = 30.0
_THETA = 0.8  # 0.5 takes half as long again, and keeps neighbours no better: MNIST, digits, breast_cancer, blobs
FEWEST_SAMPLES = 8  # with fewer neighbours no perplexity is worth the name


@dataclass(frozen=True, eq=False, repr=False)
class TsneResult(Brief):
    """A t-SNE embedding and how it was made.

    Parameters
    ----------
    Z : ndarray of float32, shape (n, 2)
        The embedding.
    labels : ndarray of int64, shape (n,), or None
        Their classes.
    title : str
        Whose codes they are.
    latent_dim : int
        How many numbers each of those codes has.
    perplexity : float
        About how many neighbours each sample is drawn to.
    seed : int
        The seed of the run.
    knn_accuracy : float or None
        `knn_accuracy_within` the embedding: cross-validated among the embedded samples, for t-SNE places no new ones.
    rows : ndarray of int64, shape (n,)
        Which of the codes are embedded, ascending.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> labels = np.arange(100) % 2
    >>> Z = rng.normal(size=(100, 2)) + 8 * labels[:, None]
    >>> from latentmap.analysis import embed_tsne
    >>> embed_tsne(Z, labels).knn_accuracy
    1.0
    """

    Z: FloatArray
    labels: IntArray | None
    title: str
    latent_dim: int
    perplexity: float
    seed: int
    knn_accuracy: float | None
    rows: IntArray


def embed_tsne(
    Z: NDArray[Any],
    labels: IntArray | None = None,
    *,
    title: str = "codes",
    perplexity: float = PERPLEXITY,
    n_samples: int = MOST_SAMPLES,
    seed: int = 0,
    n_jobs: int | None = None,
) -> TsneResult | None:
    """Embed codes in the plane with t-SNE, keeping neighbours together.

    Parameters
    ----------
    Z : ndarray, shape (n, latent_dim)
        Codes, usually of the test split.
    labels : ndarray of int64, shape (n,), optional
        Their classes, to score the embedding by; never used to make it.
    title : str, default="codes"
        Whose codes they are.
    perplexity : float, default=30
        About how many neighbours count; brought down to a third of the samples where there are few.
    n_samples : int, default=5000
        How many codes to embed at most, drawn once with a fixed seed.
    seed : int, default=0
        The same seed gives the same embedding on one machine.
    n_jobs : int, optional
        Threads; by default one for fewer than 1,000 codes, else as many as PyTorch has.

    Returns
    -------
    TsneResult or None
        The embedding; None for fewer than 8 codes, or codes that are all the same.

    References
    ----------
    van der Maaten and Hinton, 2008, "Visualizing data using t-SNE"; Policar et al., 2024, "openTSNE: a modular
    Python library for t-SNE dimensionality reduction and embedding".

    Examples
    --------
    >>> import numpy as np
    >>> from latentmap.analysis import embed_tsne
    >>> Z = np.random.default_rng(0).normal(size=(50, 8))
    >>> embed_tsne(Z).Z.shape
    (50, 2)
    """
    from openTSNE import TSNE, affinity, initialization, nearest_neighbors

    Z = as_samples(Z, "Z")
    labels = None if labels is None else as_classes(labels, len(Z))[0]
    rows = drawn_rows(len(Z), n_samples)
    codes = np.ascontiguousarray(Z[rows], dtype=np.float64)
    if len(codes) < FEWEST_SAMPLES or (codes == codes[0]).all():
        return None
    chosen = labels[rows] if labels is not None else None
    perplexity = min(perplexity, (len(codes) - 1) / 3)
    # Threads that wait for each other cost more than they save on few samples.
    n_jobs = n_jobs or (torch.get_num_threads() if len(codes) >= 1000 else 1)
    # Exact neighbours and Barnes-Hut are the faster choice up to 5,000 samples, and 350 iterations score as 750 do.
    # A ready index, for openTSNE would import pynndescent where it is installed, which compiles itself: 20 seconds.
    index = nearest_neighbors.Sklearn(codes, k=min(len(codes) - 1, int(3 * perplexity)), n_jobs=n_jobs)
    neighbours = affinity.PerplexityBasedNN(perplexity=perplexity, knn_index=index, n_jobs=n_jobs)
    start = initialization.pca(codes, random_state=seed) if codes.shape[1] >= 2 else "random"
    embedding = TSNE(
        early_exaggeration_iter=100,
        n_iter=250,
        negative_gradient_method="bh",
        theta=_THETA,
        n_jobs=n_jobs,
        random_state=seed,
    ).fit(affinities=neighbours, initialization=start)
    points = np.asarray(embedding, dtype=np.float32)
    return TsneResult(
        Z=points,
        labels=chosen,
        title=title,
        latent_dim=codes.shape[1],
        perplexity=round(float(perplexity), 1),
        seed=seed,
        knn_accuracy=knn_accuracy_within(points, chosen, seed=seed),
        rows=rows,
    )
