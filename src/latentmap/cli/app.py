"""The command line's frame: the list of commands, and how errors become one line and an exit status.

Exit status: 0 done, 1 could not do it, 2 used wrongly. Imports here are light, so that ``--help`` answers at once;
each command imports what it needs when it runs.
"""

from __future__ import annotations

import sys
import traceback
import warnings
from typing import Annotated

import typer

from latentmap import __version__
from latentmap.cli import dataset_commands, fit_command, model_commands, report_command, sweep_command
from latentmap.errors import LatentmapError

app = typer.Typer(
    name="latentmap",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)
for module in (report_command, fit_command, sweep_command, model_commands, dataset_commands):
    module.register(app)


def _show_version(wanted: bool) -> None:
    """Print the version and stop."""
    if wanted:
        typer.echo(f"latentmap {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the whole traceback of an error.")] = False,
) -> None:
    """Autoencoders as easy as PCA: encode images into a few numbers, decode them, and see what was learned.

    Example: **latentmap report digits -o runs/digits**
    """


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with its status.

    Parameters
    ----------
    arguments : list of str, optional
        What follows the program's name; by default what the program was started with.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    warnings.showwarning = _show_warning  # type: ignore[assignment]  # the rest of its arguments are not needed
    sys.exit(_run(arguments))


def _run(arguments: list[str]) -> int:
    """Run a command; its exit status."""
    try:
        status = app(args=arguments, prog_name="latentmap", standalone_mode=False)
        if status == 130:  # newer versions of typer make an interruption its status themselves
            raise KeyboardInterrupt
    except KeyboardInterrupt:
        return _fail("interrupted", 130)
    except (LatentmapError, OSError, MemoryError) as error:
        return _explain(arguments, error, getattr(error, "exit_status", 1))
    except (ValueError, TypeError) as error:
        return _explain(arguments, error, 2)
    except Exception as error:
        # The command-line library's own errors know how to say what was used wrongly, and their exit status.
        if hasattr(error, "format_message"):
            return _fail(error.format_message(), getattr(error, "exit_code", 2))
        if type(error).__name__ in ("Abort", "Exit"):
            return getattr(error, "exit_code", 1)
        raise
    return status if isinstance(status, int) else 0


def _explain(arguments: list[str], error: BaseException, status: int) -> int:
    """Say an error in one line, or show where it came from with --debug."""
    if "--debug" in arguments:
        traceback.print_exc()
    message = " ".join(str(error).split()) or type(error).__name__
    return _fail(message, status)


def _fail(message: str, status: int) -> int:
    """Write one line to standard error."""
    sys.stderr.write(f"latentmap: error: {' '.join(message.split())}\n")
    return status


def _show_warning(message: Warning | str, category: type[Warning], *_: object) -> None:
    """Write a warning as one line, without the place in the code that raised it."""
    if issubclass(category, (UserWarning, RuntimeWarning)):
        sys.stderr.write(f"latentmap: warning: {' '.join(str(message).split())}\n")
