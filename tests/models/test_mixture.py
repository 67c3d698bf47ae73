import tracemalloc

import numpy as np
import pytest

from latentmap import Autoencoder
from latentmap.errors import ModelFileError
from latentmap.models.mixture import CodeMixture


def two_groups(n=2000):
    rng = np.random.default_rng(0)
    Z = rng.normal(size=(n, 3)) * [1.0, 0.1, 5.0]
    Z[: n // 2] += [50, 0, 0]
    return Z.astype(np.float32)


def test_samples_are_distributed_like_the_codes():
    Z = two_groups()
    drawn = CodeMixture.fit(Z).sample(4000, seed=1)
    assert drawn.dtype == np.float32
    np.testing.assert_allclose(drawn.mean(0), Z.mean(0), atol=1.2)
    np.testing.assert_allclose(drawn.std(0), Z.std(0), rtol=0.1)
    assert not ((drawn[:, 0] > 10) & (drawn[:, 0] < 40)).any()  # nothing between the groups


def test_the_seed_decides_the_samples():
    mixture = CodeMixture.fit(two_groups())
    np.testing.assert_array_equal(mixture.sample(9, 3), mixture.sample(9, 3))
    assert not np.array_equal(mixture.sample(9, 3), mixture.sample(9, 4))


def test_many_samples_take_little_more_memory_than_they_are():
    mixture = CodeMixture(np.full(10, 0.1), np.zeros((10, 64)), np.tile(np.eye(64), (10, 1, 1)))
    tracemalloc.start()
    drawn = mixture.sample(100_000, 0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak - drawn.nbytes < 40e6
    np.testing.assert_allclose(drawn.std(0), 1, rtol=0.02)


@pytest.mark.parametrize("scale", [1e-6, 1, 1e6])
def test_codes_of_any_scale_are_fitted(scale):
    Z = two_groups(400) * np.float32(scale)
    drawn = CodeMixture.fit(Z).sample(2000, 0)
    np.testing.assert_allclose(drawn.std(0), Z.std(0), rtol=0.15)


@pytest.mark.parametrize("n", [1, 2, 30])
@pytest.mark.parametrize("latent_dim", [1, 2, 40])
def test_few_codes_and_constant_ones_do(n, latent_dim):
    for Z in (np.zeros((n, latent_dim)), np.random.default_rng(0).normal(size=(n, latent_dim))):
        drawn = CodeMixture.fit(Z.astype(np.float32)).sample(5, 0)
        assert drawn.shape == (5, latent_dim)
        assert np.isfinite(drawn).all()


def test_samples_in_the_units_of_the_data(vectors):
    ae = Autoencoder("linear", 3, random_state=0).fit(vectors)
    drawn = ae.sample(2000, random_state=0)
    assert drawn.shape == (2000, 6)
    np.testing.assert_allclose(drawn.mean(0), vectors.mean(0), atol=0.25)
    np.testing.assert_allclose(np.cov(drawn.T), np.cov(vectors.T), atol=0.5)


def test_a_loaded_model_draws_the_same(fitted, tmp_path):
    fitted.save(tmp_path / "m")
    loaded = Autoencoder.load(tmp_path / "m")
    np.testing.assert_array_equal(loaded.sample(5, random_state=0), fitted.sample(5, random_state=0))


def test_a_model_of_the_first_format_loads_and_says_why_it_cannot_draw(tmp_path, fitted):
    import safetensors.torch

    fitted.save(tmp_path / "m")
    file = tmp_path / "m" / "model.safetensors"
    tensors = safetensors.torch.load_file(file)
    safetensors.torch.save_file({k: v for k, v in tensors.items() if not k.startswith("mixture.")}, file)
    loaded = Autoencoder.load(tmp_path / "m")
    with pytest.raises(ValueError, match=r"saved without the distribution of its codes\. Fit and save it again"):
        loaded.sample(3)
    loaded.save(tmp_path / "again")  # which is no reason not to be saved


@pytest.mark.parametrize("broken", ["lacking", "shape", "nan"])
def test_a_damaged_mixture_is_refused_by_name(tmp_path, fitted, broken):
    import safetensors.torch

    fitted.save(tmp_path / "m")
    file = tmp_path / "m" / "model.safetensors"
    tensors = safetensors.torch.load_file(file)
    if broken == "lacking":
        del tensors["mixture.means"]
    elif broken == "shape":
        tensors["mixture.means"] = tensors["mixture.means"][:, :-1].contiguous()
    else:
        tensors["mixture.means"][0, 0] = float("nan")
    safetensors.torch.save_file(tensors, file)
    with pytest.raises(ModelFileError, match=r"wrong (or no )?tensor mixture\.means"):
        Autoencoder.load(tmp_path / "m")


@pytest.mark.parametrize("n", [0, -1, 2.5])
def test_how_many_must_be_a_whole_number(fitted, n):
    with pytest.raises((ValueError, TypeError), match="n must be a whole number of at least 1"):
        fitted.sample(n)
