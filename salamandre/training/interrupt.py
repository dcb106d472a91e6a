"""What watches long work: callbacks that are told of its end, and Ctrl-C that loses nothing."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any


@contextmanager
def watched(work: Any, callbacks: Sequence[Any], stop: Callable[[], None]) -> Iterator[None]:
    """Run ``on_start`` of the callbacks, and their ``on_end`` however the block ends.

    Args:
        work: what they are given; what the block fails with becomes ``work.error`` before.
        callbacks: those whose ``on_start`` was called are told of the end, even if one fails.
        stop: called at the first Ctrl-C; a second one ends the program.
    """
    with first_interrupt(stop), ExitStack() as ends:
        started: list[Any] = []
        try:
            for callback in callbacks:
                callback.on_start(work)
                started.append(callback)
            yield
        except BaseException as error:
            work.error = error
            raise
        finally:
            for callback in reversed(started):  # a stack: the first is told first
                ends.callback(callback.on_end, work)


@contextmanager
def first_interrupt(ask: Callable[[], None]) -> Iterator[None]:
    """Let the first Ctrl-C within the block call ``ask``, and a second one end the program."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals belong to the main thread
        return

    def handle(*_: Any) -> None:
        ask()
        signal.signal(signal.SIGINT, previous)

    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        yield  # as in the processes of repeated runs, whose parent takes the interrupt
        return
    previous = signal.signal(signal.SIGINT, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
