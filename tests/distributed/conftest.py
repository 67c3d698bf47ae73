"""Commands are run here as in tests of the command line."""

from tests.cli.conftest import latentmap

__all__ = ["latentmap"]
