import json
import os
import resource
from contextlib import ExitStack, nullcontext
from unittest import mock

import pytest
import safetensors.torch
import torch

from latentmap import Autoencoder
from latentmap.errors import CheckpointError, OutputError
from latentmap.models import MODELS
from latentmap.training import OBJECTIVES, Callback, TrainingInterrupted, TrainingPlan
from latentmap.training.checkpoints import Checkpoints, Snapshot, has_checkpoint, read_settings, remove_checkpoint
from latentmap.training.loop import train
from tests.test_files import in_another_thread
from tests.training.test_loop import make_batches

SETTINGS = {"epochs": 5, "seed": 0, "digest": "abc"}
SNAPSHOT = Snapshot({"module.weight": torch.arange(6.0).reshape(2, 3)}, {"epoch": 3, "loss_sum": 0.1})


def make_module(name):
    torch.manual_seed(0)
    sizes = {"width": 48, "depth": 2} if name == "residual" else {}  # its own take as long as all others together
    return MODELS[name](sample_shape=(1, 8, 8), latent_dim=4, **sizes)


def run(name, small, **others):
    module = make_module(name)
    recipe = module.recipe
    plan = TrainingPlan(name, 4, 50, recipe.learning_rate, patience=3, norms_settle=recipe.norms_settle)
    result = train(module, make_batches(small), OBJECTIVES["reconstruction"](), plan, **others)
    return module, result


def stopped_after(n_steps):
    """As if Ctrl-C came then: training must stop."""
    left, stack = iter(range(n_steps)), ExitStack()
    stops = nullcontext(lambda: next(left, None) is None)
    stack.enter_context(pytest.raises(TrainingInterrupted, match=r"interrupted in epoch \d of \d"))
    stack.enter_context(mock.patch("latentmap.training.loop.deferred_interrupts", return_value=stops))
    return stack


@pytest.mark.parametrize("name", sorted(MODELS))
@pytest.mark.parametrize("n_steps", [0, 3, 11])
def test_an_interrupted_run_ends_with_the_bits_of_one_that_was_not(name, n_steps, small, tmp_path):
    whole, wanted = run(name, small)
    with stopped_after(n_steps):
        run(name, small, checkpoints=Checkpoints(tmp_path, SETTINGS))
    with stopped_after(2):  # and once more
        run(name, small, checkpoints=Checkpoints(tmp_path, SETTINGS), resume=True)
    module, result = run(name, small, checkpoints=Checkpoints(tmp_path, SETTINGS), resume=True)
    for key, value in whole.state_dict().items():
        assert torch.equal(value, module.state_dict()[key]), key
    assert result.best_epoch == wanted.best_epoch
    assert [(r.epoch, r.train_loss, r.valid_loss, r.learning_rate) for r in result.history] == [
        (r.epoch, r.train_loss, r.valid_loss, r.learning_rate) for r in wanted.history
    ]
    for key, value in wanted.optimizer_state.items():
        assert torch.equal(result.optimizer_state[key], value), key


def test_the_time_spent_is_that_of_all_parts(small, tmp_path):
    checkpoints = Checkpoints(tmp_path, SETTINGS)
    with stopped_after(2):
        run("dense", small, checkpoints=checkpoints)
    snapshot = checkpoints.load()
    snapshot.facts["seconds"] = 1000.0
    checkpoints.save(snapshot)
    assert run("dense", small, checkpoints=checkpoints, resume=True)[1].history[0].seconds > 1000


def test_a_checkpoint_comes_back_as_it_was_saved(tmp_path):
    checkpoints = Checkpoints(tmp_path / "new", SETTINGS)
    assert checkpoints.load() is None
    checkpoints.save(SNAPSHOT)
    found = checkpoints.load()
    assert dict(found.facts) == dict(SNAPSHOT.facts)
    assert torch.equal(found.part("module")["weight"], SNAPSHOT.tensors["module.weight"])
    assert read_settings(tmp_path / "new") == SETTINGS


def test_checkpoints_are_due_by_the_clock(tmp_path):
    assert Checkpoints(tmp_path, SETTINGS, every=0).are_due
    checkpoints = Checkpoints(tmp_path, SETTINGS, every=1000)
    assert not checkpoints.are_due
    checkpoints._last -= 1001
    assert checkpoints.are_due
    checkpoints.save(SNAPSHOT)
    assert not checkpoints.are_due


@pytest.mark.parametrize("name", SETTINGS)
def test_other_settings_are_refused_by_name(name, tmp_path):
    Checkpoints(tmp_path, SETTINGS).save(SNAPSHOT)
    other = Checkpoints(tmp_path, {**SETTINGS, name: "other"})
    with pytest.raises(CheckpointError, match=f"was made with {name}={SETTINGS[name]!r}, not 'other'"):
        other.load()


def test_a_checkpoint_that_cannot_be_read_is_one_line(tmp_path, monkeypatch):
    checkpoints = Checkpoints(tmp_path, SETTINGS)
    checkpoints.save(SNAPSHOT)

    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(type(checkpoints.path), "read_bytes", refuse)
    with pytest.raises(CheckpointError, match=r"checkpoint\.safetensors cannot be read \(.*denied"):
        checkpoints.load()


def test_a_newer_format_is_refused(tmp_path):
    checkpoints = Checkpoints(tmp_path, SETTINGS)
    header = {"format_version": 99, "settings": SETTINGS, "facts": {}}
    checkpoints.path.write_bytes(safetensors.torch.save({"x": torch.zeros(1)}, {"latentmap": json.dumps(header)}))
    with pytest.raises(CheckpointError, match="has format_version 99, this version of latentmap reads 2"):
        checkpoints.load()


def test_a_damaged_checkpoint_is_one_line(tmp_path):
    checkpoints = Checkpoints(tmp_path, SETTINGS)
    checkpoints.save(SNAPSHOT)
    whole = checkpoints.path.read_bytes()
    for damaged in (
        b"",
        whole[:5],
        whole[:-1],
        whole[: len(whole) // 2],
        b"\xff" * 100,
        whole.replace(b"facts", b"fakts"),
    ):
        checkpoints.path.write_bytes(damaged)
        with pytest.raises(
            CheckpointError, match=r"checkpoint\.safetensors is truncated or damaged \(.+\)\. Start over"
        ):
            checkpoints.load()
    address = tmp_path.as_uri()  # as the user knows it, and not where it was brought for reading
    with pytest.raises(CheckpointError, match=f"^{address}/checkpoint.safetensors is truncated or damaged"):
        read_settings(address)


def test_a_checkpoint_without_a_tensor_is_refused(small, tmp_path):
    checkpoints = Checkpoints(tmp_path, SETTINGS)
    with stopped_after(2):
        run("dense", small, checkpoints=checkpoints)
    snapshot = checkpoints.load()
    for name in list(snapshot.tensors):
        fewer = Snapshot({key: value for key, value in snapshot.tensors.items() if key != name}, snapshot.facts)
        checkpoints.save(fewer)
        with pytest.raises(CheckpointError, match="does not fit"):
            run("dense", small, checkpoints=checkpoints, resume=True)


def test_a_disk_that_is_full_leaves_the_last_checkpoint_whole(tmp_path):
    """A limit on the size of files stands in for a full disk: writing fails half-way."""
    checkpoints = Checkpoints(tmp_path, SETTINGS)
    checkpoints.save(SNAPSHOT)
    before = checkpoints.path.read_bytes()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            import signal

            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
            Checkpoints(tmp_path, SETTINGS).save(Snapshot({"big": torch.zeros(10_000)}, {}))
        except OutputError as error:
            status = 0 if "cannot be written" in str(error) and "\n" not in str(error) else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert checkpoints.path.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == [checkpoints.path.name]


def test_removing_a_checkpoint_leaves_what_is_not_ours(tmp_path):
    folder = tmp_path / "run"
    Checkpoints(folder, SETTINGS).save(SNAPSHOT)
    assert has_checkpoint(folder)
    remove_checkpoint(folder)
    assert not folder.exists()
    Checkpoints(folder, SETTINGS).save(SNAPSHOT)
    (folder / "notes.txt").write_text("mine")
    remove_checkpoint(folder)
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]
    remove_checkpoint(tmp_path / "never")


def test_another_run_is_refused_and_destroys_nothing(tmp_path):
    folder = tmp_path / "run"
    with Checkpoints(folder, SETTINGS) as checkpoints:
        checkpoints.save(SNAPSHOT)
        others = folder / ".checkpoint.safetensors.latentmap-12345678"  # what it is about to save
        others.mkdir()
        for work in (lambda: Checkpoints(folder, SETTINGS).__enter__(), lambda: remove_checkpoint(folder)):
            (message,) = in_another_thread(work)
            assert message == f"another run is writing {folder}. Wait for it to end, or choose another name."
        assert others.exists()
        assert checkpoints.load() is not None
    remove_checkpoint(folder)  # its lock is gone, and so is what it left
    assert list(tmp_path.iterdir()) == []


def test_fit_keeps_other_runs_from_its_checkpoint(small, tmp_path):
    class Rival(Callback):
        def on_epoch_end(self, _):
            (message,) = in_another_thread(
                lambda: Autoencoder("linear", 2, epochs=1).fit(small.train.images, checkpoint=tmp_path / "run")
            )
            assert "another run is writing" in message

    Autoencoder("linear", 2, epochs=1, callbacks=[Rival()]).fit(small.train.images, checkpoint=tmp_path / "run")
    assert [path.name for path in tmp_path.rglob("*")] == ["run", "checkpoint.safetensors"]


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_link_stays_and_what_it_points_at_is_written(kind, tmp_path):
    (tmp_path / "disk").mkdir()
    if kind == "folder":
        (tmp_path / "run").symlink_to("disk")
    else:
        (tmp_path / "run").mkdir()
        (tmp_path / "run" / "checkpoint.safetensors").symlink_to("../disk/checkpoint.safetensors")
    for _ in range(2):
        with Checkpoints(tmp_path / "run", SETTINGS) as checkpoints:
            checkpoints.save(SNAPSHOT)
            assert checkpoints.load() is not None
    assert [path.name for path in (tmp_path / "disk").iterdir()] == ["checkpoint.safetensors"]
    remove_checkpoint(tmp_path / "run")
    assert not has_checkpoint(tmp_path / "run")


def test_another_programs_file_is_left_alone(tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    safetensors.torch.save_file({"theirs": torch.zeros(2)}, path)
    before = path.read_bytes()
    for work in (Checkpoints(tmp_path, SETTINGS).__enter__, lambda: remove_checkpoint(tmp_path)):
        with pytest.raises(
            OutputError, match=r"checkpoint\.safetensors exists and holds something else than is to be written there"
        ):
            work()
    assert path.read_bytes() == before
    path.write_bytes(before[:-1])  # damaged: it may be ours, and a run begins again
    with Checkpoints(tmp_path, SETTINGS) as checkpoints:
        checkpoints.save(SNAPSHOT)


def test_removing_clears_what_a_killed_run_left(tmp_path):
    (tmp_path / "run" / ".checkpoint.safetensors.latentmap-12345678").mkdir(parents=True)
    remove_checkpoint(tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", [..., None, "3", [], {}])
def test_a_checkpoint_without_a_fact_is_refused_by_name(small, tmp_path, value):
    ae = Autoencoder("linear", 2, epochs=1, random_state=0).fit(small.train.images, checkpoint=tmp_path)
    path = tmp_path / "checkpoint.safetensors"
    with safetensors.safe_open(path, "pt") as file:
        header, tensors = json.loads(file.metadata()["latentmap"]), {n: file.get_tensor(n) for n in file.keys()}  # noqa: SIM118
    for name in header["facts"]:
        facts = header["facts"] | {name: value}
        kept = {key: fact for key, fact in facts.items() if fact is not ...}
        if name == "history" and value == []:
            continue
        path.write_bytes(safetensors.torch.save(tensors, {"latentmap": json.dumps(header | {"facts": kept})}))
        with pytest.raises(CheckpointError, match=f"does not fit this run: '{name}' must be .*Start over"):
            ae.fit(small.train.images, checkpoint=tmp_path, resume=True)
