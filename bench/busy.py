"""What a busy machine costs: a fit beside processes that keep half of the cores busy, against half of the threads.

Run: ``python -m bench.busy [--short] [--runs 3]``. A fair half is the time of half of the threads on a quiet machine;
the ratio to it may be 2. The processes beside it count, and do nothing else.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys

FIT = """
import sys, time
import numpy as np
from latentmap import Autoencoder
model, n = sys.argv[1], int(sys.argv[2])
X = np.random.default_rng(0).integers(0, 255, (n, 32, 32, 1), dtype=np.uint8)
fit = lambda X: Autoencoder(model, 2, epochs=1, batch_size=64, random_state=0).fit(X)
fit(X[:200])
start = time.perf_counter()
fit(X)
print(time.perf_counter() - start)
"""
SIZES = {"dense": 20_000, "residual": 3_000, "conv": 3_000}
CORES = os.process_cpu_count() if hasattr(os, "process_cpu_count") else len(os.sched_getaffinity(0))


def seconds(model: str, n: int, n_threads: int | None = None) -> float:
    """Of one fit, in a process of its own."""
    environment = {**os.environ, **({} if n_threads is None else {"OMP_NUM_THREADS": str(n_threads)})}
    done = subprocess.run(
        [sys.executable, "-c", FIT, model, str(n)], env=environment, check=True, capture_output=True, text=True
    )
    return float(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="a tenth of the images, one run")
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    runs = 1 if options.short else options.runs
    half = max(1, CORES // 2)
    print(f"{CORES} cores, {half} busy with something else; seconds, medians of {runs}")
    print(f"{'model':>10} {'quiet':>8} {'fair half':>10} {'busy':>8} {'busy / fair half':>17}")
    for model, n in SIZES.items():
        n_images = n // 10 if options.short else n
        quiet, fair, busy = [], [], []
        for _ in range(runs):
            quiet.append(seconds(model, n_images))
            fair.append(seconds(model, n_images, half))
            others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(half)]
            try:
                busy.append(seconds(model, n_images))
            finally:
                for other in others:
                    other.kill()
                    other.wait()
        a, b, c = map(statistics.median, (quiet, fair, busy))
        print(f"{model:>10} {a:8.2f} {b:10.2f} {c:8.2f} {c / b:17.2f}")


if __name__ == "__main__":
    main()
