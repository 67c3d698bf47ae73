"""The command line's frame: the list of commands, and how errors become one line and an exit status.

Exit status: 0 done, 1 could not do it, 2 used wrongly. Imports here are light, so that ``--help`` answers at once;
each command imports what it needs when it runs.
"""

import csv
import dis
import io
import re
import sys
import traceback
import warnings
from typing import Annotated, Any

import typer

from latentmap import __version__
from latentmap.cli import bar, processes
from latentmap.cli.info_commands import data, info
from latentmap.cli.model_commands import decode, encode, evaluate, export
from latentmap.cli.picture_commands import draw, explore, generate, interpolate
from latentmap.cli.report_command import report
from latentmap.cli.training_commands import fit, sweep
from latentmap.errors import LatentmapError, printable

app = typer.Typer(
    name="latentmap",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)
_COMMANDS = (report, explore, fit, sweep, encode, decode, draw, generate, interpolate, evaluate, info, export, data)
for command in _COMMANDS:
    app.command(command.__name__)(command)


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
    """Run the command line, by default with what the program was started with, and exit with its status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="surrogateescape")  # a file's name is written as it is, whatever bytes it has
    warnings.showwarning = _show_warning  # type: ignore[assignment]  # the rest of its arguments are not needed
    sys.exit(_run(arguments))


def _run(arguments: list[str]) -> int:
    """Run a command; its exit status."""
    processes.let_one_speak()
    if processes.several() and arguments[:1] not in (["fit"], ["-h"], ["--help"], ["--version"], ["--debug"]):
        return _fail(f"torchrun shares training only, which is fit, got {' '.join(arguments[:1])}. Run it alone.", 2)
    try:
        status = _command()(args=arguments, prog_name="latentmap", standalone_mode=False)
        sys.stdout.flush()  # what cannot be written is said here, and not after the last word
        if status == 130:  # newer versions of typer make an interruption its status themselves
            raise KeyboardInterrupt
    except KeyboardInterrupt:
        return _fail("interrupted", 130)
    except BrokenPipeError:  # whoever read the results has enough, as head does
        sys.stdout = None  # Python flushes once more as it ends
        return 1
    except Exception as error:
        if type(error).__name__ in ("Abort", "Exit", "NoArgsIsHelpError"):  # which have said what there is to say
            return getattr(error, "exit_code", 1)
        if "--debug" in arguments:
            bar.clear()
            traceback.print_exc()
        return _fail(*_explain(error))
    finally:
        bar.clear()
    return status if isinstance(status, int) else 0


def _command() -> Any:
    """The whole command line; what it says of completion by shells is left to the README."""
    whole = typer.main.get_command(app)
    for option in whole.params:
        if isinstance(option, typer.core.TyperOption) and option.name in {"install_completion", "show_completion"}:
            option.hidden = True
    return whole


def _explain(error: Exception) -> tuple[str, int]:
    """What to say of an error, and the exit status."""
    words = str(error) or type(error).__name__
    # The command-line library's own errors know how to say what was used wrongly, and their exit status.
    if hasattr(error, "format_message"):
        return error.format_message(), getattr(error, "exit_code", 2)
    if isinstance(error, LatentmapError):
        return words, getattr(error, "exit_status", 1)
    if known := _known(error, words):
        return known, 1
    if isinstance(error, (ValueError, TypeError)) and _is_a_check(error):
        return words, 2
    kind = type(error).__name__
    return f"internal error: {kind}: {words[:300]} (latentmap --debug COMMAND shows the whole of it)", 1


def _known(error: Exception, words: str) -> str | None:
    """What to say of a fault of the world that no one made a `LatentmapError` of; None of any other."""
    # PyTorch's want of memory is a RuntimeError like others, but for its words.
    signs = ("DefaultCPUAllocator", "can't allocate memory", "out of memory")
    if isinstance(error, MemoryError) or any(sign in words for sign in signs):
        amount = re.search(r"allocate( \d[\d.]* ?\w+)", words)
        return (
            f"there is not enough memory{f' for{amount[1]}' if amount else ''}. Take fewer samples (--limit), "
            "smaller images (--size) or shorter codes (--latent-dim)."
        )
    if isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename is not None else ""
        return f"{place}{error.strerror or words}."
    if isinstance(error, csv.Error):
        return f"a table cannot be read: {words}."
    return "a file is nested too deep to be read." if isinstance(error, RecursionError) else None


def _is_a_check(error: Exception) -> bool:
    """Whether somebody wrote ``raise`` for this, in our code or in scikit-learn's checks of what our estimator takes.

    What comes from deeper inside, or by an operation that went wrong, is a fault of ours and not of the user.
    """
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    if last is None:
        return False
    code = last.tb_frame.f_code
    package = last.tb_frame.f_globals.get("__name__", "").split(".")[0]
    operation = code.co_code[last.tb_lasti : last.tb_lasti + 1]  # of compiled modules there is none
    return operation == bytes([dis.opmap["RAISE_VARARGS"]]) and package in {"latentmap", "sklearn"}


def _fail(message: str, status: int) -> int:
    """Write one line to standard error."""
    bar.clear()
    sys.stderr.write(f"latentmap: error: {printable(message)}\n")
    return status


def _show_warning(message: Warning | str, category: type[Warning], *_: object) -> None:
    """Write a warning as one line, without the place in the code that raised it."""
    if issubclass(category, (UserWarning, RuntimeWarning)):
        bar.note(f"warning: {message}")
