"""A disk that fails at any write, sync or rename of a rotation: no effect without its intent, and nothing is lost."""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest

from rotator.audit.directory import files
from rotator.model.plan import OutcomeKind
from tests.simulated.world import Crash
from tests.unit.audit.media import OnDisk
from tests.unit.audit.rotating import a_rotation, require_made_good


class Disk:
    """The disk under a directory: it counts what is asked of it, and fails from one point on, or once."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.asked = 0
        self.waits = 0
        self.is_dirty = False

    @contextmanager
    def failing(self, at: int, failure: Callable[[], object], *, once: bool, torn: float = 0.0) -> Iterator[None]:
        """Let the operation with this number fail, and all after it unless it is `once`; a part of a write is done."""
        write, sync, sync_directory, rename = os.write, files.sync_data, files.sync_directory, Path.rename

        def asked(partly: Callable[[], object] = lambda: None) -> None:
            self.asked += 1
            if self.asked == at or (self.asked > at > 0 and not once):
                partly()
                failure()

        def do_write(fd: int, data: bytes) -> int:
            if Path(f"/proc/self/fd/{fd}").resolve().is_relative_to(self.directory):
                self.is_dirty = True
                asked(lambda: write(fd, data[: int(len(data) * torn)]))
            return write(fd, data)

        def do_sync(fd: int) -> None:
            self.waits += 1
            asked()
            sync(fd)
            self.is_dirty = False

        def do_sync_directory(directory: Path) -> None:
            self.waits += 1
            asked()
            sync_directory(directory)

        def do_rename(path: Path, target: Path) -> Path:
            asked()
            return rename(path, target)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "write", do_write)
            patch.setattr(files, "sync_data", do_sync)
            patch.setattr(files, "sync_directory", do_sync_directory)
            patch.setattr(Path, "rename", do_rename)
            yield

    def require_clean(self) -> None:
        """Demand that all that was written is durable."""
        assert not self.is_dirty


def _errno(number: int) -> Callable[[], object]:
    def fails() -> None:
        raise OSError(number, os.strerror(number))

    return fails


@pytest.mark.parametrize(
    ("number", "once"),
    [
        pytest.param(errno.EIO, True, id="broken-once"),
        pytest.param(errno.ENOSPC, False, id="full-from-then-on"),
        pytest.param(errno.EIO, False, id="broken-from-then-on", marks=pytest.mark.slow),
        pytest.param(errno.ENOSPC, True, id="full-once", marks=pytest.mark.slow),
        pytest.param(errno.EROFS, False, id="read-only-from-then-on", marks=pytest.mark.slow),
    ],
)
def test_a_disk_that_fails_anywhere_costs_no_intent(tmp_path: Path, number: int, *, once: bool) -> None:
    """At each write, sync and rename of a rotation, once or from then on."""
    outcomes = set()
    for at in count(1):
        directory = tmp_path / f"{at}"
        directory.mkdir(mode=0o700)
        place, disk, rotation = OnDisk(directory), Disk(directory), a_rotation()
        with disk.failing(at, _errno(number), once=once), place.trail() as trail:
            outcome = rotation.run(trail, disk.require_clean)
        outcomes.add(outcome.kind)
        if outcome.error:
            assert os.strerror(number) in outcome.error.message
        require_made_good(rotation, place.trail("next"), place.source)
        if disk.asked < at:
            break
    assert outcomes == {OutcomeKind.ROTATED, OutcomeKind.FAILED}
    assert at > 20


def _dies() -> None:
    raise Crash


@pytest.mark.parametrize("torn", [0.0, 0.4, 1.0], ids=["before", "within", "after"])
def test_a_process_that_dies_at_any_write_costs_no_intent(tmp_path: Path, torn: float) -> None:
    """Before, in the middle of, and after each write; and at each sync and rename."""
    for at in count(1):
        directory = tmp_path / f"{at}"
        directory.mkdir(mode=0o700)
        place, disk, rotation = OnDisk(directory), Disk(directory), a_rotation()
        trail = place.trail()
        with disk.failing(at, _dies, once=False, torn=torn), suppress(Crash):
            rotation.run(trail, disk.require_clean)
            trail.close()
        for file in audit_descriptors(directory):
            os.close(file)  # as a process does that is dead
        require_made_good(rotation, place.trail("next"), place.source)
        if disk.asked < at:
            break
    assert at > 20


def audit_descriptors(directory: Path) -> list[int]:
    """Return the descriptors of this process that lead below a directory."""
    every = [int(path.name) for path in Path("/proc/self/fd").iterdir()]
    return [fd for fd in every if Path(f"/proc/self/fd/{fd}").resolve().is_relative_to(directory)]


def test_a_rotation_waits_for_the_disk_about_eight_times(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Once for each call that changes something, and for its end; beside it for its file's name, and for the ledger."""
    place, disk, rotation = OnDisk(directory), Disk(directory), a_rotation()
    with disk.failing(-1, _errno(errno.EIO), once=True), place.trail() as trail:
        first = rotation.run(trail)
        made, disk.waits = disk.waits, 0
        rotation.scene.passes(rotation.scene.spec.max_age + timedelta(hours=1))
        again = rotation.run(trail)
    assert (first.kind, again.kind) == (OutcomeKind.ROTATED, OutcomeKind.ROTATED)
    with capsys.disabled():
        print(f"\nwaits for the disk: {disk.waits} a rotation, {made} with a new file and a new ledger")  # noqa: T201 - it is to be seen
    assert disk.waits <= 9
