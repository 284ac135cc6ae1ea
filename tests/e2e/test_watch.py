"""`status --watch` and the warnings of `config check`: looking on, and looking ahead."""

import json
import signal

from tests.e2e.stage import COMMAND_S, PERSON, Stage


def test_watching_sees_a_rotation(stage: Stage) -> None:
    """Piped it prints every secret each time; what somebody else does shows; Ctrl-C ends it well."""
    watching = stage.start("status", "--watch", "--every", "1s", "--json")
    assert watching.stdout is not None
    first = json.loads(watching.stdout.readline())
    assert (first["secret"], first["generation"], first["reason"]) == ("uploader", None, "ADOPTED") or (
        first["generation"] == 0
    )
    assert stage.rotator("run").returncode == 0
    row = first
    while row["last_outcome"] != "rotated" or row["generation"] != 1:
        row = json.loads(watching.stdout.readline())
    assert (row["reason"], row["old_keys"], row["orphans"]) == ("UP_TO_DATE", [], 0)
    writes = stage.writes()
    watching.stdout.readline()
    assert stage.writes() == writes, "looking on changes nothing"
    watching.send_signal(signal.SIGINT)
    _, err = watching.communicate(timeout=COMMAND_S)
    assert (watching.returncode, err) == (0, "")


def test_watching_in_lines(stage: Stage) -> None:
    """Without --json, the table again and again: what needs a person comes first, and the exit code says so."""
    stage.add_secret("missing", "prod/pinata/missing")
    watching = stage.start("status", "--watch", "--every", "1s")
    assert watching.stdout is not None
    lines = [watching.stdout.readline() for _ in range(8)]
    watching.send_signal(signal.SIGTERM)
    watching.communicate(timeout=COMMAND_S)
    assert watching.returncode == PERSON
    assert [line.split()[0] for line in lines] == 2 * ["2", "SECRET", "missing", "uploader"]


def test_policy_that_cannot_be_met_is_told(stage: Stage) -> None:
    """It is a warning: the file can be used, and the command says what will not be kept."""
    stage.edit("[defaults]", '[defaults]\nblackout = ["2026-01-01..2036-01-01"]')
    done = stage.rotator("config", "check")
    assert done.returncode == 0
    assert "Warning: uploader: no new key can be made" in done.stderr
    (row,) = stage.rows("config", "check")
    assert len(row["warnings"]) == 1
