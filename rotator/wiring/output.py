"""Standard output and standard error as those need them who tell what they do: losing one is said, and decides nothing.

A full disk, or a reader that has gone away, is no reason to stop in the middle of a rotation.
"""

import io
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO, cast


class Outlet:
    """A text stream that takes what it is given, even after it broke; `lost` is told why, once."""

    def __init__(self, stream: TextIO, lost: Callable[[OSError], None]) -> None:
        self.lost = lost
        self._stream = stream
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a name that the encoding lacks is no loss

    def write(self, text: str) -> int:
        """Write a text, or lose it."""
        if text == "":  # click asks in this way what may be written, and takes any exception for a no
            return 0
        try:
            return self._stream.write(text)
        except OSError as error:
            self._lose(error)
            return len(text)

    def flush(self) -> None:
        """Flush what was written, or lose it."""
        try:
            self._stream.flush()
        except OSError as error:
            self._lose(error)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the stream has
        return getattr(self._stream, name)

    def _lose(self, error: OSError) -> None:
        """Lead the stream nowhere from now on: what is in its buffer would fail again, at the latest at the end."""
        with suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)
        lost, self.lost = self.lost, lambda _: None
        lost(error)


@contextmanager
def guarded_streams(*, as_json: bool) -> Iterator[None]:
    """Guard both standard streams until the block ends.

    Losing standard error ends no command. Losing standard output ends one that only shows something: OutputLostError.
    """
    before = sys.stdout, sys.stderr
    if None in before:  # closed before this process began
        nowhere = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - for as long as the process lives
        sys.stdout, sys.stderr = (stream or nowhere for stream in before)
    out, err = sys.stdout, sys.stderr

    def lost_err(error: OSError) -> None:
        text = _what_is_lost("standard error", error)
        _say(out, json.dumps({"warning": text}) if as_json else f"Warning: {text}")

    sys.stdout, sys.stderr = Outlet(out, _end), Outlet(err, lost_err)
    try:
        yield
        sys.stdout.flush()
    finally:
        sys.stdout, sys.stderr = before


class OutputLostError(Exception):
    """A command that only shows something cannot: `reader_left` if nobody wants to see it any more."""

    def __init__(self, error: OSError) -> None:
        super().__init__(f"standard output cannot be written: {error.strerror or type(error).__name__}")
        self.reader_left = isinstance(error, BrokenPipeError)


def lasting_output() -> TextIO:
    """Return standard output for whoever has nothing else; its loss is said on standard error."""
    return cast("TextIO", Outlet(sys.stdout, _on(sys.stderr)))


def outlive_output() -> None:
    """Go on to the end even if nothing can be told: this command acts."""
    if isinstance(sys.stdout, Outlet):
        sys.stdout.lost = _on(sys.stderr)


def _on(stream: TextIO) -> Callable[[OSError], None]:
    """Return what says on another stream that standard output is lost."""
    return lambda error: _say(stream, f"Warning: {_what_is_lost('standard output', error)}")


def _end(error: OSError) -> None:
    raise OutputLostError(error)


def _what_is_lost(what: str, error: OSError) -> str:
    return f"{what} cannot be written ({error.strerror or type(error).__name__}); the work goes on"


def _say(stream: TextIO, line: str) -> None:
    with suppress(OSError):
        stream.write(f"{line}\n")
        stream.flush()
