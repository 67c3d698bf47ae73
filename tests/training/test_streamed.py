"""Training from a file: every sample once an epoch, well mixed, and entered again anywhere."""

import numpy as np
import pytest
import torch

from latentmap import Autoencoder
from latentmap.data.cache import FileRegion, file_region
from latentmap.data.preprocessing import Preprocessing
from latentmap.models import fitted as fitted_module
from latentmap.training import streamed
from latentmap.training.batches import n_validation
from latentmap.training.objectives import Objective
from latentmap.training.streamed import StreamedBatches

N = 1000


@pytest.fixture
def numbered(tmp_path):
    """Images of which each is known by its first two pixels."""
    images = np.zeros((N, 4, 4, 1), np.uint8)
    images[:, 0, 0, 0], images[:, 0, 1, 0] = np.arange(N) // 256, np.arange(N) % 256
    np.save(tmp_path / "x.npy", images)
    return np.load(tmp_path / "x.npy", mmap_mode="r")


def batches_of(mapped, monkeypatch, *, block=16 * 10, window=16 * 100, **how):
    monkeypatch.setattr(streamed, "_BLOCK_BYTES", block)
    monkeypatch.setattr(streamed, "_WINDOW_BYTES", window)
    how = {"batch_size": 64, "seed": 0, "validation_fraction": 0.1, "device": torch.device("cpu"), **how}
    return StreamedBatches(file_region(mapped), Preprocessing.fit(mapped), **how)


def numbers(batch):
    x = batch.x
    pixels = (x[:, 0, 0, :2] * 255).round().long()
    return (pixels[:, 0] * 256 + pixels[:, 1]).tolist()


def test_each_sample_is_either_trained_on_once_an_epoch_or_validated(numbered, monkeypatch):
    batches = batches_of(numbered, monkeypatch)
    trained = [number for x in batches.epoch(1) for number in numbers(x)]
    validated = [number for x in batches.validation() for number in numbers(x)]
    assert sorted(trained + validated) == list(range(N))
    assert (len(trained), len(validated)) == (batches.n_train, batches.n_validation) == (900, 100)
    sizes = [batch.n for batch in batches.epoch(1)]
    assert len(sizes) == batches.n_batches == 14
    assert max(sizes) - min(sizes) <= 1


def test_orders_differ_from_epoch_to_epoch_and_mix_far_samples(numbered, monkeypatch):
    batches = batches_of(numbered, monkeypatch)
    first = [numbers(x) for x in batches.epoch(1)]
    assert first == [numbers(x) for x in batches.epoch(1)]
    assert first != [numbers(x) for x in batches.epoch(2)]
    # A window of ten blocks from all over: a batch spans most of the file.
    assert all(max(batch) - min(batch) > 500 for batch in first)
    other = batches_of(numbered, monkeypatch, seed=1)
    assert first != [numbers(x) for x in other.epoch(1)]


@pytest.mark.parametrize("start", [0, 1, 5, 13, 14])
def test_an_epoch_can_be_entered_at_any_batch(numbered, monkeypatch, start):
    batches = batches_of(numbered, monkeypatch)
    whole = [numbers(x) for x in batches.epoch(3)]
    assert [numbers(x) for x in batches.epoch(3, start=start)] == whole[start:]


def test_small_files_keep_a_training_part(tmp_path, monkeypatch):
    np.save(tmp_path / "x.npy", np.arange(30 * 4, dtype=np.uint8).reshape(30, 2, 2))
    batches = batches_of(np.load(tmp_path / "x.npy", mmap_mode="r"), monkeypatch, block=2**20)
    assert (batches.n_train, batches.n_validation) == (27, 3)


def test_a_validation_part_of_nearly_all_leaves_something_to_learn_from(numbered, monkeypatch):
    batches = batches_of(numbered, monkeypatch, validation_fraction=0.9999)
    assert batches.n_train >= 1
    assert batches.n_train + batches.n_validation == N
    for n in (20, 100):
        assert n_validation(n, 0.9999) == n - 2


def test_the_mean_is_that_of_the_training_samples(numbered, monkeypatch):
    batches = batches_of(numbered, monkeypatch, block=16 * 50)
    wanted = torch.cat([batch.x for batch in batches.epoch(1)]).mean(0)
    torch.testing.assert_close(batches.components(0).mean, wanted, atol=0.05, rtol=0)


def test_an_estimator_fitted_on_a_mapped_file_learns_as_from_memory(tmp_path, monkeypatch, digits):
    images = np.repeat(digits.train.images, 2, axis=0)
    np.save(tmp_path / "x.npy", images)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    held = Autoencoder(epochs=6, random_state=0).fit(images)
    monkeypatch.setattr(fitted_module, "_STREAMED_FROM", 1)
    fitted = Autoencoder(epochs=6, random_state=0).fit(mapped)
    again = Autoencoder(epochs=6, random_state=0).fit(mapped)
    np.testing.assert_array_equal(fitted.transform(mapped), again.transform(images))
    np.testing.assert_array_equal(fitted.score_samples(mapped), fitted.score_samples(images))
    assert fitted.settings(mapped) == fitted.settings(images)
    assert fitted.score(digits.test.images) > 1.25 * held.score(digits.test.images)


def test_floats_from_0_to_1_are_read_from_a_mapped_file_as_bytes_are(tmp_path, monkeypatch, digits):
    images = digits.train.images[:200] / np.float32(255)
    np.save(tmp_path / "x.npy", images)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    monkeypatch.setattr(fitted_module, "_STREAMED_FROM", 1)
    fitted = Autoencoder("linear", epochs=1, random_state=0).fit(mapped)
    assert isinstance(fitted._fitted.for_training(mapped), FileRegion)
    np.testing.assert_array_equal(fitted.transform(mapped), fitted.transform(images))
    np.testing.assert_array_equal(fitted.score_samples(mapped), fitted.score_samples(images))


def test_a_streamed_run_resumes_to_the_same_weights(tmp_path, monkeypatch, digits):
    from latentmap.training import Callback, TrainingInterrupted

    monkeypatch.setattr(fitted_module, "_STREAMED_FROM", 1)
    np.save(tmp_path / "x.npy", digits.train.images)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")

    class Stop(Callback):
        def on_epoch_end(self, record):
            if record.epoch == 2:
                import signal

                signal.raise_signal(signal.SIGINT)

    whole = Autoencoder(epochs=4, random_state=0).fit(mapped)
    with pytest.raises(TrainingInterrupted):
        Autoencoder(epochs=4, random_state=0, callbacks=[Stop()]).fit(mapped, checkpoint=tmp_path / "c")
    resumed = Autoencoder(epochs=4, random_state=0).fit(mapped, checkpoint=tmp_path / "c", resume=True)
    np.testing.assert_array_equal(resumed.transform(mapped), whole.transform(mapped))


def test_samples_are_taken_by_number_and_bring_their_neighbours(numbered, monkeypatch):
    batches = batches_of(numbered, monkeypatch)
    rows = torch.tensor([7, 999, 0, 7])
    pixels = (batches.take(rows)[:, 0, 0, :2] * 255).round().long()
    assert (pixels[:, 0] * 256 + pixels[:, 1]).tolist() == rows.tolist()
    assert torch.cat(list(batches.everything())).shape[0] == N

    class Next(Objective):
        n_companions = 1

        def companions(self, rows, generator):  # noqa: ARG002
            return (rows[:, None] + 1) % N

    seen = [number for batch in batches.epoch(1, objective=Next()) for number in numbers(batch)]
    assert len(seen) == 2 * batches.n_train
    assert all(b == (a + 1) % N for a, b in zip(seen[::2], seen[1::2], strict=True))


def test_the_map_is_learned_from_a_mapped_file_too(tmp_path, monkeypatch, digits):
    np.save(tmp_path / "x.npy", digits.train.images)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    monkeypatch.setattr(fitted_module, "_STREAMED_FROM", 1)
    fitted = Autoencoder(objective="neighbors", epochs=2, random_state=0).fit(mapped)
    assert np.isfinite(fitted.transform(mapped)).all()
    assert fitted.history_[-1]["valid_loss"] < fitted.history_[0]["valid_loss"]
