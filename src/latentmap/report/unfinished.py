"""The models of a report that is not whole yet: kept as they are fitted, so that an interrupted run can be resumed."""

from __future__ import annotations

import shutil
from pathlib import Path

from latentmap.data.dataset import Dataset
from latentmap.errors import CheckpointError, ModelFileError
from latentmap.estimator import Autoencoder
from latentmap.models.files import is_model_folder
from latentmap.training.checkpoints import check_settings, remove_checkpoint

_CHECKPOINT = ".checkpoint"


def unfinished_of(out_dir: str | Path) -> Path:
    """Where the models of a report wait until it is whole."""
    folder = Path(out_dir)
    return folder.with_name(f"{folder.name}.unfinished")


def discard(unfinished: Path) -> None:
    """Remove the models and checkpoints of an interrupted run, and nothing else."""
    for path in unfinished.iterdir() if unfinished.is_dir() else ():
        if is_model_folder(path):
            shutil.rmtree(path)
        elif path.suffix == _CHECKPOINT:
            remove_checkpoint(path)
    if unfinished.is_dir() and not any(unfinished.iterdir()):
        unfinished.rmdir()


def fit_or_load(model: Autoencoder, dataset: Dataset, kept: Path, *, resume: bool) -> Autoencoder:
    """Fit a model and keep it, or take the one kept by a run with the same data and settings."""
    X, checkpoint = dataset.train.X, kept.with_name(kept.name + _CHECKPOINT)
    try:
        if resume and is_model_folder(kept):
            former = Autoencoder.load(kept)
            check_settings(kept, former.settings_ or {}, model.settings(X))
            return former
        model.fit(X, checkpoint=checkpoint, resume=resume)
    except (CheckpointError, ModelFileError):  # of other settings, or damaged
        remove_checkpoint(checkpoint)
        model.fit(X, checkpoint=checkpoint)
    model.save(kept, metadata=dataset.facts)
    remove_checkpoint(checkpoint)
    return model
