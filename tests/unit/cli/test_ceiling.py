"""What `config check` says of the speed at which Pinata lets a fleet be looked at."""

import json
from pathlib import Path

import pytest

from rotator.cli.setup import check_config

ENTRY = """
[[secrets]]
name = "s{0}"
secret_id = "prod/s{0}"
permissions = {{ resources = ["org:files:write"] }}
"""


@pytest.mark.parametrize(
    ("secrets", "budgets", "looks", "takes"),
    [
        (30, "", 30, "takes a minute at most"),
        (31, "", 30, "takes 2 minutes at most"),
        (1000, "", 30, "takes 34 minutes at most"),
        (1000, "data_requests_per_minute = 500", 60, "takes 17 minutes at most"),
        (9, "requests_per_minute = 5000\ndata_requests_per_minute = 3", 3, "takes 3 minutes at most"),
    ],
)
def test_the_ceiling_is_said(  # noqa: PLR0913, PLR0917 - a table of figures, and two fixtures
    tmp_path: Path, capsys: pytest.CaptureFixture[str], secrets: int, budgets: str, looks: int, takes: str
) -> None:
    """The smaller of the two budgets is the ceiling, for people and for programs."""
    path = tmp_path / "rotator.toml"
    head = f'[pinata]\nadmin_secret = "a"\n{budgets}\n[audit]\ndirectory = "audit"\n'
    path.write_text(head + "".join(ENTRY.format(number) for number in range(secrets)))
    path.chmod(0o600)
    assert check_config(str(path), as_json=False) == 0
    told = capsys.readouterr().out
    assert f"at most {looks} looks a minute" in told
    assert takes in told
    assert check_config(str(path), as_json=True) == 0
    assert json.loads(capsys.readouterr().out)["looks_per_minute"] == looks
