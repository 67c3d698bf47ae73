"""Long runs of what nothing may be lost to: kills, crashes and full disks at every file-system event, races, damage.

Run: ``make soak``, or ``python -m tests.soak --minutes 60 [--only kills ...]``. Prints a table as docs/reliability.md
holds it, and every failure; the exit status is 1 where there was one. ``make test`` runs a minute of it.

Processes are forks of this one, which has loaded PyTorch with one thread and no pool: a kill costs no start-up.
"""

from __future__ import annotations

import argparse
import errno
import itertools
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # before PyTorch is loaded: a pool of threads would not survive a fork

import numpy as np

from latentmap import Autoencoder, LatentmapError, load_dataset
from latentmap.data.codes import write_codes
from latentmap.models import MODELS
from latentmap.training.objectives import OBJECTIVES

IMAGES = load_dataset("digits", size=None).train.images[:240]
GROWING = ("os.mkdir", "os.rename", "os.link", "os.symlink")
CHANGES = (*GROWING, "os.remove", "os.rmdir", "shutil.rmtree")
"""Audit events of a change to the file system, and those that need room; opening a file to write is another."""


Work = Callable[[Path], None]
Step = tuple[Work, Work, Callable[[Path], int]]  # what was there before, what replaces it, which of them is there
_REFUSED, _UNTOUCHED, _CRASHED = 3, 4, 9  # exit statuses of a fork


def in_child(work: Callable[[], object], *, kill_after: float | None = None) -> int:
    """Run something in a fork; its exit status, minus the signal where it was killed."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            warnings.simplefilter("ignore")
            work()
            status = 0
        except LatentmapError:
            status = _REFUSED
        except BaseException:  # a fork must end here
            traceback.print_exc()
        finally:
            os._exit(status)
    if kill_after is not None:
        time.sleep(kill_after)
        os.kill(pid, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def same_model(one: Path, other: Path) -> bool:
    """Whether two model folders hold the same weights and history, but for the seconds."""
    histories = [
        [{**json.loads(line), "seconds": 0} for line in (folder / "history.jsonl").read_text().splitlines()]
        for folder in (one, other)
    ]
    weights = [(folder / "model.safetensors").read_bytes() for folder in (one, other)]
    return weights[0] == weights[1] and histories[0] == histories[1]


def fitting(folder: Path, model: str, objective: str, *, kept: bool = True) -> Callable[[], None]:
    """What fits a model and saves it, keeping a checkpoint all the while."""

    def work() -> None:
        ae = Autoencoder(model, 4, objective=objective, epochs=5, random_state=0)
        checkpoint = {"checkpoint": folder / "m.unfinished", "resume": True, "checkpoint_every": 0.01} if kept else {}
        ae.fit(IMAGES, **checkpoint).save(folder / "m")

    return work


def kills(folder: Path, until: float, tally: Counter[str], failures: list[str]) -> None:
    """Kill fits at random moments and go on, until they are done: the bits are those of a run left alone."""
    moments = random.Random()  # noqa: S311  # every run tries other moments
    pairs = [(model, objective) for model in sorted(MODELS) for objective in sorted(OBJECTIVES)]
    moments.shuffle(pairs)
    wanted: dict[tuple[str, str], tuple[Path, float]] = {}
    for pair in _again(pairs, until):
        if pair not in wanted:
            place = folder / "-".join(pair)
            place.mkdir()
            start = time.perf_counter()
            if in_child(fitting(place, *pair, kept=False)):
                failures.append(f"kills: {pair} cannot be fitted")
                continue
            wanted[pair] = place, time.perf_counter() - start
        place, seconds = wanted[pair]
        work = Path(tempfile.mkdtemp(dir=folder))
        for _ in range(50):
            status = in_child(fitting(work, *pair), kill_after=moments.uniform(0, 1.2 * seconds))
            if status == 0:
                break
            tally["killed" if status == -signal.SIGKILL else "failed"] += 1
            if status != -signal.SIGKILL:
                failures.append(f"kills: {pair} ended with {status}")
                break
        else:
            in_child(fitting(work, *pair))
        tally["finished"] += 1
        if not same_model(work / "m", place / "m"):
            failures.append(f"kills: {pair} differs from a run left alone")
        shutil.rmtree(work)


def _again(pairs: list[tuple[str, str]], until: float) -> Iterator[tuple[str, str]]:
    """Each pair in turn, again and again while there is time; at least two of them."""
    for i in range(10**9):
        if i >= 2 and time.monotonic() > until:
            return
        yield pairs[i % len(pairs)]


def at_event(k: int, fail: Callable[[], None], inside: Path) -> Callable[[], int]:
    """Make the k-th change to the file system inside a folder fail; returns what counts them."""
    seen = 0

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal seen
        writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        if not writes and event not in (GROWING if fail is _full else CHANGES):
            return
        paths = [str(a) for a in arguments if isinstance(a, (str, bytes, os.PathLike))]
        if not any(path.startswith(str(inside)) for path in paths):
            return
        seen += 1
        if seen == k:
            fail()

    sys.addaudithook(hook)
    return lambda: seen


def _full() -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def events(folder: Path, until: float, tally: Counter[str], failures: list[str]) -> None:
    """Crash, or find the disk full, at each change to the file system in turn: the output is the old or the new."""
    old, new = (Autoencoder("linear", k, epochs=1, random_state=0).fit(IMAGES) for k in (2, 3))
    Z = {2: old.transform(IMAGES), 3: new.transform(IMAGES)}

    def save(k: int) -> Work:
        return lambda place: {2: old, 3: new}[k].save(place / "m")

    def encode(k: int) -> Work:
        return lambda place: write_codes(place / "m.csv", [(Z[k], {})], (len(IMAGES), k))

    def of_model(place: Path) -> int:
        loaded = Autoencoder.load(place / "m")
        return loaded.latent_dim_ if np.array_equal(loaded.transform(IMAGES), Z[loaded.latent_dim_]) else -1

    def of_codes(place: Path) -> int:
        lines = (place / "m.csv").read_text().splitlines()
        return lines[-1].count(",") + 1 if len(lines) == len(IMAGES) + 1 else -1

    steps = {"m": (save(2), save(3), of_model), "m.csv": (encode(2), encode(3), of_codes)}
    failing = {"crash": lambda: os._exit(_CRASHED), "full disk": _full}
    for (name, step), what in itertools.product(steps.items(), failing):
        for k in itertools.count(1):
            place = Path(tempfile.mkdtemp(dir=folder))
            status, problems = _one_event(place, step, k, failing[what])
            left = sorted({path.name for path in place.iterdir()} - {name})
            problems += [f"{left} stay for ever"] if left else []
            failures += [f"events: {name}, {what} at event {k}: {problem}" for problem in problems]
            shutil.rmtree(place)
            if status == _UNTOUCHED:
                break
            tally[what] += 1


def _one_event(place: Path, step: Step, k: int, fail: Callable[[], None]) -> tuple[int, list[str]]:
    """Let the k-th event of a step fail, then do it again; how it ended, and what was wrong."""
    before, work, read = step
    before(place)
    status = in_child(lambda: _failing(work, place, k, fail))
    problems = []
    if status not in (0, _REFUSED, _CRASHED, _UNTOUCHED):
        problems.append(f"exit status {status}")
    if (found := _read(read, place)) not in (2, 3):
        problems.append(f"neither the old nor the new, but {found}")
    if in_child(lambda: work(place)) or _read(read, place) != 3:
        problems.append("it cannot be done again")
    return status, problems


def _failing(work: Work, place: Path, k: int, fail: Callable[[], None]) -> None:
    """Work whose k-th change to the file system fails; exits with `_UNTOUCHED` where there were fewer."""
    seen = at_event(k, fail, place)
    work(place)
    if seen() < k:
        os._exit(_UNTOUCHED)


def _read(read: Callable[[Path], int], place: Path) -> object:
    """How many numbers a code has in what lies there, or what was raised instead."""
    try:
        return read(place)
    except Exception as error:  # whatever it is, it is a failure
        return f"{type(error).__name__}: {error}"


def small_disk(folder: Path, until: float, tally: Counter[str], failures: list[str]) -> None:
    """Let no file grow beyond so many bytes, in steps: saving fails in one line, or is whole."""
    old, new = (Autoencoder("dense", k, epochs=1, random_state=0).fit(IMAGES) for k in (2, 3))
    place = folder / "small"
    place.mkdir()
    old.save(place / "m")
    size = (place / "m" / "model.safetensors").stat().st_size

    def limited(n_bytes: int) -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, n_bytes))
        new.save(place / "m")

    for n_bytes in sorted({0, 1, 100, 1000, *np.linspace(2000, size + 4096, 12).astype(int).tolist()}):
        status = in_child(lambda n_bytes=n_bytes: limited(n_bytes))
        tally["full disk"] += 1
        wanted = 3 if status == 0 else 2
        if status not in (0, _REFUSED) or Autoencoder.load(place / "m").latent_dim_ != wanted:
            failures.append(f"small_disk: {n_bytes} bytes: exit status {status}")
        failures += [f"small_disk: {n_bytes} bytes: {left} stays" for left in place.iterdir() if left.name != "m"]
        old.save(place / "m")


def races(folder: Path, until: float, tally: Counter[str], failures: list[str]) -> None:
    """Let two processes save to one place while this one loads: each load is one of the two models, whole."""
    models = [Autoencoder("linear", k, epochs=1, random_state=0).fit(IMAGES) for k in (2, 3)]
    Z = {ae.latent_dim_: ae.transform(IMAGES) for ae in models}
    place = folder / "race"
    models[0].save(place)
    ends = max(until, time.monotonic() + 1)

    def keep_saving(ae: Autoencoder) -> None:
        while time.monotonic() < ends:
            ae.save(place)

    writers = [
        threading.Thread(target=lambda ae=ae: statuses.append(in_child(lambda: keep_saving(ae)))) for ae in models
    ]
    statuses: list[int] = []
    for writer in writers:
        writer.start()
    while time.monotonic() < ends:
        try:
            loaded = Autoencoder.load(place)
        except Exception as error:  # whatever it is, it is a failure
            failures.append(f"races: {type(error).__name__}: {error}")
            continue
        tally["loads"] += 1
        if not np.array_equal(loaded.transform(IMAGES), Z[loaded.latent_dim_]):
            failures.append("races: a mixture was loaded")
    for writer in writers:
        writer.join()
    if any(statuses):
        failures.append(f"races: the writers ended with {statuses}")


def damage(folder: Path, until: float, tally: Counter[str], failures: list[str]) -> None:
    """Damage files of every format, up to 10,000 times, 60 a second and core: right data or an error in one line."""
    n = int(min(10_000, max(20, 3 * (os.cpu_count() or 1) * (until - time.monotonic()))))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", "auto", "-p", "no:cacheprovider", "tests/data/test_mutations.py"],
        env={**os.environ, "LATENTMAP_MUTATIONS": str(n)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    tally["a format"] = n
    if done.returncode:
        failures.append(f"damage: {done.stdout[-2000:]}")


EXPERIMENTS = {"events": events, "small_disk": small_disk, "races": races, "kills": kills, "damage": damage}
SHARES = {"events": 0, "small_disk": 0, "races": 0.1, "kills": 0.3, "damage": 0.6}
"""The part of the time that each may take; two take what they take."""


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--only", nargs="+", choices=sorted(EXPERIMENTS), default=list(EXPERIMENTS))
    options = parser.parse_args(arguments)
    failures: list[str] = []
    print("| experiment | what was done | failures | seconds |\n|---|---|---|---|")
    for name in options.only:
        tally: Counter[str] = Counter()
        start, before = time.monotonic(), len(failures)
        with tempfile.TemporaryDirectory() as folder:
            EXPERIMENTS[name](Path(folder), start + 60 * options.minutes * SHARES[name], tally, failures)
        done = ", ".join(f"{n:,} {what}" for what, n in tally.items())
        print(f"| {name} | {done} | {len(failures) - before} | {time.monotonic() - start:.0f} |", flush=True)
    print("\n".join(["", *failures]))
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
