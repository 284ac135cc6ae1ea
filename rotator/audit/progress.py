"""How far a verification is, for the person who waits for it."""

from typing import NamedTuple


class Progress(NamedTuple):
    """How far a directory was verified."""

    files: int
    of_files: int
    size: int
    """Bytes of those files, and of the one that is read."""
    of_size: int
