"""Run every benchmark, one after another: ``python -m bench [--short]``."""

from __future__ import annotations

import argparse
import subprocess
import sys

BENCHMARKS = (
    "time_to_quality",
    "quality",
    "versus_pca",
    "encode",
    "peers",
    "map",
    "interpolation",
    "explorer",
    "scaling",
    "distributed",
    "busy",
    "larger_than_memory",
    "past_memory",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="small versions that show that they run, in minutes")
    short = ["--short"] if parser.parse_args().short else []
    for name in BENCHMARKS:
        print(f"== {name}", flush=True)
        # A process each, so that one's memory and threads do not weigh on the next.
        subprocess.run([sys.executable, "-m", f"bench.{name}", *short], check=True)


if __name__ == "__main__":
    main()
