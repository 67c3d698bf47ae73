"""Hooks into training, for progress bars, logs, and whatever a user wants to watch."""

import os
import sys
import warnings
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentmap.checks import check_number
from latentmap.data.objects import as_array
from latentmap.errors import MissingExtraError
from latentmap.training.plan import EpochRecord, TrainingPlan


class Callback:
    """Base class of callbacks: override the hooks you need, and pass an instance in ``Autoencoder(callbacks=[...])``.

    Examples
    --------
    >>> from latentmap import Autoencoder, load_dataset
    >>> from latentmap.training import Callback
    >>> class Losses(Callback):
    ...     def __init__(self):
    ...         self.losses = []
    ...     def on_epoch_end(self, record):
    ...         self.losses.append(record.valid_loss)
    >>> losses = Losses()
    >>> X = load_dataset("digits", size=8).limit(100).train.images
    >>> _ = Autoencoder(epochs=3, callbacks=[losses]).fit(X)
    >>> len(losses.losses)
    3
    """

    def on_train_begin(self, plan: TrainingPlan) -> None:
        """Called once before the first epoch."""

    def on_step_end(self, step: int, n_steps: int) -> None:
        """Called between steps, ten times a second at most, with the steps done so far and those of all epochs."""

    def on_epoch_end(self, record: EpochRecord) -> None:
        """Called after every epoch, with its losses."""

    def on_weights(self, epoch: float, encode: Callable[[NDArray[Any]], NDArray[np.float32]]) -> None:
        """Called before the first epoch (as 0) and after every epoch, with what encodes as the network does then.

        Of fewer than 12 epochs, also at even steps within each: epoch 1.5 is half way through the second.
        ``encode`` takes samples as `fit` saw them, (n, *sample_shape), and gives their codes, (n, latent_dim).
        """

    def on_train_end(self) -> None:
        """Called once after the last epoch, also when training ends with an error."""


class CodeFilm(Callback):
    """Keeps the codes of some samples as training goes: how a map organised itself, and where it began.

    Parameters
    ----------
    X : array-like, shape (n, *sample_shape)
        Samples as `fit` sees them; usually not those it learns from.
    n_samples : int, default 2,000
        Of more samples, so many evenly spaced ones are kept.

    Attributes
    ----------
    rows : ndarray of int64, shape (m,)
        Which of `X` they are, ascending.
    epochs : list of float
        After so many epochs, see `on_weights`: 0 is before the first.
    codes : list of ndarray of float32, shape (m, latent_dim)
        The codes then. What `transform` gives at last are those of the best epoch, each number in a unit of its own.

    Examples
    --------
    >>> from latentmap import Autoencoder, load_dataset
    >>> from latentmap.training import CodeFilm
    >>> digits = load_dataset("digits", size=8).limit(100)
    >>> film = CodeFilm(digits.test.images)
    >>> _ = Autoencoder(epochs=2, callbacks=[film]).fit(digits.train.images)
    >>> film.epochs[0], film.epochs[-1], film.codes[0].shape
    (0.0, 2.0, (100, 2))
    """

    def __init__(self, X: Any, n_samples: int = 2000) -> None:
        check_number("n_samples", n_samples, whole=True)
        samples = np.asarray(as_array(X))
        self.n_of = len(samples)
        self.rows = np.linspace(0, self.n_of - 1, min(n_samples, self.n_of)).astype(np.int64)
        self._samples = samples[self.rows]
        self.epochs: list[float] = []
        self.codes: list[NDArray[np.float32]] = []

    def on_train_begin(self, plan: TrainingPlan) -> None:
        """Begin anew, unless this goes on from another piece of the data."""
        if plan.decay:
            self.epochs, self.codes = [], []

    def on_weights(self, epoch: float, encode: Callable[[NDArray[Any]], NDArray[np.float32]]) -> None:
        """Keep the codes."""
        self.epochs.append(epoch)
        self.codes.append(encode(self._samples))


class PrintEpochs(Callback):
    """Writes one line an epoch to standard error, in a notebook a bar: what ``verbose=1`` does.

    Examples
    --------
    >>> import contextlib, sys
    >>> from latentmap import Autoencoder, load_dataset
    >>> from latentmap.training import PrintEpochs
    >>> X = load_dataset("digits", size=8).limit(100).train.images
    >>> with contextlib.redirect_stderr(sys.stdout):
    ...     _ = Autoencoder(epochs=1, callbacks=[PrintEpochs()]).fit(X)
    epoch 1/1  train ...  valid ... s
    """

    def on_train_begin(self, plan: TrainingPlan) -> None:
        """Remember how many epochs there are."""
        self._epochs = plan.epochs
        self._bar = notebook_bar(plan.epochs)

    def on_train_end(self) -> None:
        """Leave the bar as it is."""
        if self._bar is not None:
            self._bar.close()

    def on_epoch_end(self, record: EpochRecord) -> None:
        """Write the epoch's line."""
        valid = "" if record.valid_loss is None else f"  valid {record.valid_loss:.5f}"
        if self._bar is not None:
            self._bar.set_postfix_str(f"train {record.train_loss:.5f}{valid}", refresh=False)
            self._bar.update(record.epoch - self._bar.n)
            return
        epochs = str(max(self._epochs, record.epoch))
        epoch = f"epoch {record.epoch:{len(epochs)}d}/{epochs}"
        sys.stderr.write(f"{epoch}  train {record.train_loss:.5f}{valid}  {record.seconds:6.1f} s\n")


def notebook_bar(epochs: int) -> Any:
    """A bar of tqdm's, in the kernel of a notebook; None elsewhere."""
    if type(getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()).__name__ != "ZMQInteractiveShell":
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it is experimental; and without ipywidgets it draws a bar of letters
        from tqdm.autonotebook import tqdm

        return tqdm(total=epochs, unit="epoch")


class TensorBoard(Callback):
    """Writes losses and learning rate for TensorBoard; needs the extra ``tensorboard``.

    Parameters
    ----------
    folder : path
        Where event files go; ``tensorboard --logdir FOLDER`` shows them.

    Raises
    ------
    MissingExtraError
        If TensorBoard is not installed.

    Examples
    --------
    >>> import os, tempfile
    >>> from latentmap import Autoencoder, load_dataset
    >>> from latentmap.training import TensorBoard
    >>> X = load_dataset("digits", size=8).limit(100).train.images
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Autoencoder(epochs=1, callbacks=[TensorBoard(folder)]).fit(X)
    ...     len(os.listdir(folder))
    1
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise MissingExtraError.of("TensorBoard", "the package tensorboard", "tensorboard") from error
        self._make_writer, self.folder = SummaryWriter, folder
        self._writer: Any = None  # while there is training

    def on_train_begin(self, plan: TrainingPlan) -> None:
        """Begin a file of events, with the plan as text."""
        self._writer = self._make_writer(os.fspath(self.folder))
        facts = "\n".join(f"- {name}: {value}" for name, value in asdict(plan).items())
        self._writer.add_text("plan", facts)

    def on_epoch_end(self, record: EpochRecord) -> None:
        """Write the epoch's numbers."""
        losses = {"loss/train": record.train_loss, "loss/validation": record.valid_loss}
        for tag, value in {**losses, "learning_rate": record.learning_rate}.items():
            if value is not None:
                self._writer.add_scalar(tag, value, record.epoch)
        self._writer.flush()

    def on_train_end(self) -> None:
        """Close the file."""
        self._writer.close()
        self._writer = None
