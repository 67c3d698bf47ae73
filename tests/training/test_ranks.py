"""Several processes learn what one would: gradients, weights, decisions, checkpoints."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import distributed, multiprocessing

import latentmap
from latentmap import Autoencoder
from latentmap.models import MODELS
from latentmap.training import OBJECTIVES, Callback, CodeFilm
from latentmap.training.optimizer import Muon
from latentmap.training.ranks import Ranks
from tests import processes

COMBINATIONS = [("images", "conv", objective, "auto", "float32") for objective in sorted(OBJECTIVES)]
COMBINATIONS += [("images", model, "reconstruction", "auto", "float32") for model in sorted(MODELS) if model != "conv"]
COMBINATIONS += [("vectors", "dense", "reconstruction", "auto", "float32")]
COMBINATIONS += [("vectors", "residual", "neighbors", "auto", "float32")]
COMBINATIONS += [("images", "dense", "reconstruction", name, "float32") for name in ("elastic", "crop")]
COMBINATIONS += [("images", "residual", "neighbors", "auto", "bfloat16")]


def data(kind):
    """200 samples with structure, fewer than a multiple of batches and of processes."""
    rng = np.random.default_rng(0)
    if kind == "vectors":
        return (rng.normal(size=(203, 3)) @ rng.normal(size=(3, 10)) + rng.normal(size=(203, 10)) / 5).astype(
            np.float32
        )
    coarse = rng.integers(0, 256, (203, 4, 4, 1))
    return np.clip(coarse.repeat(4, axis=1).repeat(4, axis=2) + rng.normal(0, 9, (203, 16, 16, 1)), 0, 255).astype(
        "u1"
    )


class FirstSteps:
    """The first gradient, and the weights before it and after some steps, of an optimizer."""

    def __init__(self, patch, n_steps=3):
        self.n_steps, self.found, step = n_steps, [], Muon.step

        def watched(optimizer):
            parameters = [*optimizer._matrices, *optimizer._vectors]
            if not self.found:
                self.found = [flat(parameters), flat([p.grad for p in parameters])]
            step(optimizer)
            if int(optimizer._n_steps) == self.n_steps:
                self.found.append(flat(parameters))

        patch.setattr(Muon, "step", watched)


def flat(tensors):
    return torch.cat([torch.zeros(1) if tensor is None else tensor.detach().flatten() for tensor in tensors]).numpy()


def fit_all(combinations):
    """What each combination begins with, its first gradient, what three steps make of it, and how it ends."""
    results = {}
    with pytest.MonkeyPatch.context() as patch:
        for combination in combinations:
            kind, model, objective, augmentation, precision = combination
            steps = FirstSteps(patch)
            ae = Autoencoder(
                model,
                3,
                objective=objective,
                augmentation=augmentation,
                precision=precision,
                epochs=1,
                batch_size=50,
                random_state=0,
            )
            ae.fit(data(kind))
            results[combination] = [*steps.found, flat(ae.module_.parameters()), ae.history_]
            patch.undo()
    return results


def in_group(rank, size, port, folder, work, *given):
    """One process of a group: its result goes to a file."""
    torch.set_num_threads(1)
    address = f"tcp://127.0.0.1:{port}"
    distributed.init_process_group("gloo", init_method=address, rank=rank, world_size=size)
    torch.save(work(*given), Path(folder) / f"{rank}.pt")
    distributed.destroy_process_group()


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def together(size, folder, work, *given):
    """The results of all processes of a group."""
    given = (size, free_port(), str(folder), work, *given)
    multiprocessing.start_processes(in_group, given, nprocs=size, start_method=processes.START)
    return [torch.load(folder / f"{rank}.pt", weights_only=False) for rank in range(size)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where the tests' files are: images to be streamed, and checkpoints."""
    folder = tmp_path_factory.mktemp("ranks")
    np.save(folder / "images.npy", data("images"))
    return folder


def learn_all(folder, combinations):
    """Everything that is compared: starting a group takes seconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("latentmap.models.fitted._STREAMED_FROM", 0)
        X = np.load(folder / "images.npy", mmap_mode="r")
        film = CodeFilm(data("images"), n_samples=5)
        ae = Autoencoder("dense", 2, epochs=2, random_state=0, callbacks=[film]).fit(X)
        streamed = [flat(ae.module_.parameters()), np.stack(film.codes)]
        streamed.append(flat(ae.partial_fit(X[:100]).module_.parameters()))
    try:
        refused = Autoencoder("linear", 1, batch_size=1, epochs=1).fit(data("vectors")) and None
    except ValueError as error:
        refused = str(error)
    return {
        "fits": fit_all(combinations),
        "seed": Autoencoder(epochs=1).fit(data("vectors")).seed_,
        "streamed": streamed,
        "refused": refused,
        "whole": fit_with_checkpoint(folder / f"whole of {Ranks.here().size}", [], False),
    }


class Dies(Callback):
    """Kills its process, as a machine that fails would, between the steps of the second epoch."""

    def __init__(self, rank):
        self.rank, self.epochs = rank, 0

    def on_epoch_end(self, record):  # noqa: ARG002
        self.epochs += 1
        if self.epochs == 2 and Ranks.here().rank == self.rank:
            os.kill(os.getpid(), signal.SIGKILL)


def fit_with_checkpoint(folder, callbacks, resume):
    ae = Autoencoder("conv", 2, epochs=3, random_state=0, callbacks=callbacks)
    ae.fit(data("images"), checkpoint=folder, resume=resume, checkpoint_every=0)
    return flat(ae.module_.parameters()), ae.transform(data("images"))


@pytest.fixture(scope="module")
def alone(folder):
    return learn_all(folder, COMBINATIONS)


@pytest.fixture(scope="module")
def both(folder):
    return together(2, folder, learn_all, folder, COMBINATIONS)


@pytest.fixture(scope="module")
def three(folder):
    return together(3, folder, fit_all, COMBINATIONS[::7])


@pytest.mark.parametrize("size", [2, 3])
def test_processes_take_the_steps_of_one_and_stay_alike_to_the_last_bit(size, alone, request):
    found = request.getfixturevalue("three") if size == 3 else [one["fits"] for one in request.getfixturevalue("both")]
    first, *others = found
    for name in first:
        for other in others:
            np.testing.assert_array_equal(other[name][3], first[name][3], err_msg=str(name))
            assert [row["valid_loss"] for row in other[name][4]] == [row["valid_loss"] for row in first[name][4]]
        begun, gradient, weights, _, history = alone["fits"][name]
        shared_begun, shared_gradient, shared_weights, _, shared_history = first[name]
        np.testing.assert_array_equal(shared_begun, begun, err_msg=str(name))
        # What is added in another order differs by rounding.
        rounding = 5e-6 if name[4] == "float32" else 5e-2
        assert np.linalg.norm(shared_gradient - gradient) < rounding * np.linalg.norm(gradient), name
        # Muon moves all directions alike: those in which the gradient is nothing but rounding, as it is along the
        # principal components that learning starts from, go their own way. Under noise there are none of these.
        if name[2] == "denoising":
            assert np.linalg.norm(shared_weights - weights) < 2e-2 * np.linalg.norm(weights - begun), name
        losses, shared = (np.array([row["train_loss"] for row in one]) for one in (history, shared_history))
        np.testing.assert_allclose(shared, losses, rtol=0.2, err_msg=str(name))


def test_seeds_are_shared_and_files_are_read_by_all(alone, both):
    first, second = both
    assert first["seed"] == second["seed"]
    for mine, theirs, lonely in zip(first["streamed"], second["streamed"], alone["streamed"], strict=True):
        np.testing.assert_array_equal(mine, theirs)
        assert mine.shape == lonely.shape


def test_batches_too_small_for_the_group_are_refused(alone, both):
    assert alone["refused"] is None
    rule = "batch_size must be at least the number of processes, got batches of 1 for 2."
    assert all(one["refused"].startswith(rule) for one in both)


def test_a_group_that_lost_a_process_goes_on_to_the_same_bits(both, folder):
    with pytest.raises(Exception, match=r"SIGKILL|terminated|closed|reset"):
        together(2, folder, fit_with_checkpoint, folder / "run", [Dies(1)], False)
    resumed = together(2, folder, fit_with_checkpoint, folder / "run", [], True)
    for found in (*resumed, both[1]["whole"]):
        for one, other in zip(found, both[0]["whole"], strict=True):
            np.testing.assert_array_equal(one, other)


def as_torchrun_starts(environment, words):
    from latentmap.cli import main

    os.environ |= environment
    main(words)


def test_commands_of_torchrun_train_one_model_and_one_speaks(tmp_path):
    np.save(tmp_path / "rows.npy", data("vectors"))
    words = ["fit", "../rows.npy", "-o", "../model", "--model", "linear", "--epochs", "2", "--seed", "0"]

    def in_two():
        """Their statuses, and what they wrote; started from what has loaded PyTorch, which takes torchrun a while."""
        shared = {"TORCHELASTIC_RUN_ID": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1"}
        shared["MASTER_PORT"] = f"{free_port()}"
        started = []
        for rank in ("0", "1"):
            (tmp_path / rank).mkdir(exist_ok=True)
            environment = shared | {"RANK": rank, "LOCAL_RANK": rank}
            started.append(processes.Process(tmp_path / rank, as_torchrun_starts, environment, words))
        return zip(*(one.end() for one in started), strict=True)

    statuses, out, err = in_two()
    assert statuses == (0, 0), err
    assert "".join(out).split() == ["../model"]
    assert "".join(err).count("Next: latentmap evaluate") == 1
    ae = Autoencoder.load(tmp_path / "model")
    alone = Autoencoder("linear", epochs=2, random_state=0).fit(latentmap.load_dataset(tmp_path / "rows.npy").train.X)
    np.testing.assert_allclose(ae.history_[-1]["valid_loss"], alone.history_[-1]["valid_loss"], rtol=0.1)
    statuses, _, err = in_two()
    assert 0 not in statuses
    assert "".join(err).count("model exists") == 1
    assert "internal error" not in "".join(err)
    if os.environ.get("LATENTMAP_SLOW"):
        torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
        torchrun += ["--master-port", f"{free_port()}", "-m", "latentmap", *words[:3], "../again", *words[4:]]
        done = subprocess.run(torchrun, cwd=tmp_path / "0", capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stdout.split() == ["../again"]
        again = Autoencoder.load(tmp_path / "again")
        np.testing.assert_array_equal(flat(again.module_.parameters()), flat(ae.module_.parameters()))
