"""Checks of parameters: each refuses what it cannot take in one line that says what is wrong and what to do."""

import difflib
import functools
import inspect
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from types import NoneType
from typing import Literal, ParamSpec

import numpy as np

Refining = int | Literal["auto"]

_P = ParamSpec("_P")
_MEANT = {
    "n_components": "latent_dim", "code_size": "latent_dim", "encoding_dim": "latent_dim",
    "embedding_dim": "latent_dim", "n_latent": "latent_dim", "max_iter": "epochs", "n_iter": "epochs",
    "lr": "learning_rate", "learning_rate_init": "learning_rate", "loss": "objective", "alpha": "weight_decay",
    "seed": "random_state", "architecture": "model", "early_stopping": "patience",
}  # fmt: skip


def check_choice(name: str, value: object, choices: Collection[str]) -> None:
    """Refuse a value that is not among the choices, naming the nearest."""
    if isinstance(value, str) and value in choices:
        return
    nearest = difflib.get_close_matches(str(value), choices, n=1)
    hint = f" Did you mean {nearest[0]!r}?" if nearest else ""
    raise ValueError(f"{name} must be one of {', '.join(map(repr, sorted(choices)))}, got {value!r}.{hint}")


def describe_unknown(kind: str, names: Iterable[str], known: Sequence[str]) -> str | None:
    """What is wrong with the first of these names that is no parameter of a class, and what was meant."""
    wrong = next((name for name in names if name not in known), None)
    if wrong is None:
        return None
    near = _MEANT.get(wrong) or next(iter(difflib.get_close_matches(wrong, known, n=1)), None)
    hint = f"Did you mean {near}?" if near else f"There are {', '.join(known)}."
    return f"{kind} has no parameter {wrong!r}. {hint}"


def check_params(name: str, given: object, owner: str, made: type, leave: Collection[str] = ()) -> None:
    """Refuse what is no dict, or None, of parameters that a class is made with; `leave` are not the user's."""
    if not isinstance(given, (Mapping, NoneType)):
        raise TypeError(f"{name} must be a dict or None, got {given!r}.")
    ours = ("self", "args", "kwargs", *leave)
    known = [each for each in inspect.signature(made.__init__).parameters if each not in ours]  # type: ignore[misc]
    for each in given or {}:
        if not known:
            raise ValueError(f"{name} must be empty for {owner}, got {each!r}.")
        check_choice(f"a key of {name} for {owner}", each, known)


def explains_unknown(initialize: Callable[_P, None]) -> Callable[_P, None]:
    """Let a constructor say what was meant by a parameter that there is not."""
    known = list(inspect.signature(initialize).parameters)[1:]

    @functools.wraps(initialize)
    def checked(*args: _P.args, **parameters: _P.kwargs) -> None:
        if wrong := describe_unknown(type(args[0]).__name__, parameters, known):
            raise TypeError(wrong)
        initialize(*args, **parameters)

    return checked


def check_number(name: str, value: object, *, whole: bool = False, least: int = 1) -> None:
    """Refuse what is not a positive number, or a whole one of at least so much."""
    kinds = (int, np.integer) if whole else (int, float, np.integer, np.floating)
    rule = f"a whole number of at least {least}" if whole else "a number above 0"
    if isinstance(value, bool) or not isinstance(value, kinds):
        raise TypeError(f"{name} must be {rule}, got {value!r}.")
    if not (least <= value if whole else 0 < value < np.inf):
        raise ValueError(f"{name} must be {rule}, got {value!r}.")


def check_share(name: str, value: object, *, most: float | None = 1.0) -> float:
    """Return a number of at least 0, and at most `most`; refuse anything else."""
    rule = "a number of at least 0" if most is None else f"a number from 0 to {most:g}"
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise TypeError(f"{name} must be {rule}, got {value!r}.")
    if not 0 <= value < np.inf or (most is not None and value > most):
        raise ValueError(f"{name} must be {rule}, got {value!r}.")
    return float(value)


def check_refine(value: object) -> Refining:
    """Return how codes are refined; refuse what does not say."""
    if isinstance(value, str) and value == "auto":
        return "auto"
    rule = "'auto' or a whole number of at least 0"
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"refine must be {rule}, got {value!r}.")
    if value < 0:
        raise ValueError(f"refine must be {rule}, got {value!r}.")
    return int(value)


def how_refined(refine: Refining, twicing_gain: float) -> dict[str, float]:
    """What becomes of an encoder's codes, as facts of a model; none where they stay as they are."""
    corrected = {"twicing_gain": twicing_gain} if twicing_gain and refine else {}
    return corrected | ({"refine": refine} if refine and refine != "auto" else {})


def draw_seed(random_state: object) -> int:
    """A seed from what scikit-learn calls a random state; None draws from the operating system, not from NumPy."""
    if random_state is None:
        return int(np.random.default_rng().integers(2**31))
    if isinstance(random_state, (int, np.integer)) and not isinstance(random_state, bool):
        if not 0 <= random_state < 2**32:
            raise ValueError(f"random_state must be from 0 to 4294967295, got {random_state}.")
        return int(random_state)
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(2**31))
    if isinstance(random_state, np.random.Generator):
        return int(random_state.integers(2**31))
    raise ValueError(f"random_state must be an int, a RandomState or None, got {random_state!r}.")
