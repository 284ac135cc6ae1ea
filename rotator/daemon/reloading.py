"""The configuration while a process lives on: a changed file is taken over, a broken one is told and not taken."""

from dataclasses import dataclass, field
from pathlib import Path

from rotator.config.file import Config, load
from rotator.model.errors import ConfigError

_Signature = tuple[int, int, int, int] | None


@dataclass(slots=True)
class LiveConfig:
    """The configuration in force, and what is wrong with a newer one.

    Raises ConfigError if the file cannot be used when this is made.
    """

    path: Path
    now: Config = field(init=False)
    error: str = field(default="", init=False)
    """Why the newest file is not in force; empty if it is."""
    _seen: _Signature = field(default=None, init=False)

    def __post_init__(self) -> None:
        """Load the file."""
        self._seen = _signature(self.path)
        self.now = load(self.path)

    def refresh(self, *, asked: bool) -> bool:
        """Load the file if it changed, or if somebody asked; tell whether that was tried.

        A link that leads elsewhere, as Kubernetes swaps mounted files, is a change, too.
        """
        signature = _signature(self.path)
        if signature == self._seen and not asked:
            return False
        self._seen = signature
        try:
            self.now = load(self.path)
        except ConfigError as error:
            self.error = error.message
        else:
            self.error = ""
        return True


def _signature(path: Path) -> _Signature:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
