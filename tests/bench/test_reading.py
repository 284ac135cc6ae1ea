"""Looking something up in a long trail takes little more than searching its bytes, and the trail is genuine."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rotator.audit.directory.source import DirectorySource
from rotator.audit.verify import Verdict
from tests.audit_year import secret_name, write_year
from tests.unit.audit.builders import query


@pytest.mark.slow
def test_reading_keeps_its_budgets() -> None:
    """A lookup takes at most three times what `grep -F` takes over the same bytes, verifying eight times sha256sum.

    It is measured in a process of its own: one whose coverage is measured takes more than twice as long.
    """
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("COV_", "COVERAGE_"))}
    measured = subprocess.run([sys.executable, "-m", "tests.bench", "reading"], check=False, env=plain, text=True)
    assert measured.returncode == 0


def test_the_made_year_is_genuine(tmp_path: Path) -> None:
    """What is measured over is a trail as rotator writes it: intact, and every secret in it."""
    tmp_path.chmod(0o700)
    events = write_year(tmp_path, events=3_200, secrets=7)
    report = DirectorySource(tmp_path).verify()
    assert (report.verdict, report.findings, report.events, report.files) == (Verdict.INTACT, [], events, 3)
    assert {record.secret for record in query(tmp_path)} == {secret_name(number) for number in range(7)}
