"""The command line: thin commands over the library. `main` is what the ``latentmap`` script calls."""

from latentmap.cli.app import main

__all__ = ["main"]
