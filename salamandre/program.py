"""What a program owes whoever starts it: output on any stream, one sentence, an exit code."""

from __future__ import annotations

import argparse
import codecs
import os
import sys
import unicodedata
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

FAILURES = (ValueError, OSError, RuntimeError, ArithmeticError, MemoryError, ImportError)
MISUSED = 2  # the exit code of argparse and click for wrong options
INTERRUPTED = 130  # the exit code that shells give a program ended by Ctrl-C
IN_ASCII = {"×": "x", "→": "->", "–": "-", "−": "-"}
STREAMS = {"stdin": "r", "stdout": "w", "stderr": "w"}


class Help(argparse.HelpFormatter):
    """The help of a program: paragraphs fit the terminal, indented lines stay as they are."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        parts = [
            part if part.startswith(" ") else super(Help, self)._fill_text(part, width, indent)
            for part in text.strip("\n").split("\n\n")
        ]
        return "\n\n".join(parts)


class WrongUsage(ValueError):
    """Options of a program that do not fit each other, its data or its runs."""


@contextmanager
def usage() -> Iterator[None]:
    """Make each ValueError of a block, which builds what options describe, a WrongUsage."""
    try:
        yield
    except ValueError as error:
        raise WrongUsage(str(error)) from error


def run_program(name: str, main: Callable[[], object]) -> None:
    """Call the main function of a program, and end the process as the command does.

    The exit code is 0; or 1 after a failure, or 2 after a :class:`WrongUsage`, of which one
    sentence is printed; or 130 after Ctrl-C.
    A program whose output is no longer read (``| head``) ends quietly.

    Args:
        name: of the program, before its sentence.
        main: raises KeyboardInterrupt after Ctrl-C, unless it exits with :data:`INTERRUPTED`.
    """
    open_streams()
    with plain_warnings(sys.stderr.write):
        try:
            main()
            sys.stdout.flush()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the last flush
            sys.exit(1)
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            sys.exit(INTERRUPTED)
        except FAILURES as error:
            print(f"{name}: {sentence(error)}", file=sys.stderr)
            sys.exit(MISUSED if isinstance(error, WrongUsage) else 1)


def open_streams() -> None:
    """Open standard streams that are missing, and let others take what their encoding lacks.

    A service and ``pythonw`` have no streams. The numbers 0 to 2 are occupied too, which would
    else be those of the next files, into which C libraries would print.
    """
    for name, mode in STREAMS.items():
        stream = getattr(sys, name)
        if stream is None or stream.closed:
            while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
                pass
            setattr(sys, name, open(number, mode, encoding="utf-8"))  # noqa: SIM115
        elif mode == "w" and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="salamandre.spell")


def _spelled(error: UnicodeError) -> tuple[str, int]:
    """Return what stands for characters that an encoding lacks: ``x`` for ``×``."""
    assert isinstance(error, UnicodeEncodeError)
    letters = []
    for letter in error.object[error.start : error.end]:
        plain = unicodedata.normalize("NFKD", letter).encode("ascii", "ignore").decode()
        exact = letter.encode("ascii", "backslashreplace").decode()
        letters.append(IN_ASCII.get(letter) or plain or exact)
    return "".join(letters), error.end


codecs.register_error("salamandre.spell", _spelled)


@contextmanager
def plain_warnings(write: Callable[[str], object]) -> Iterator[None]:
    """Write the warnings of a block as lines, without the place in the code."""

    def show(message: Warning | str, *_: object, **__: object) -> None:
        write(f"Warning: {message}\n")

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield


def sentence(error: BaseException) -> str:
    """Return the message of an error, without the numbers of system errors."""
    if isinstance(error, MemoryError):
        return "there is not enough memory: take smaller images or batches"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error) or type(error).__name__
