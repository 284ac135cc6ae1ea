"""The report for an auditor: a fleet of two over three months, as JSON and as a page, and a trail that was changed.

The trail is in a directory, or in a bucket alone.
"""

import json
import os
import re
import shutil
import signal
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import boto3
import pytest
import time_machine

from rotator.audit.directory.files import audit_files
from rotator.model.times import time_text
from rotator.sandbox.pinata.faults import Operation, Respond, Side
from rotator.sandbox.running import Sandbox, value_of
from rotator.sandbox.secrets_manager.faults import Fault, Kind
from rotator.sandbox.secrets_manager.store import Json, Scope
from tests.chromium import MISSING, chromium, installed
from tests.e2e.stage import AUDIT, COMMAND_S, FAILED, PERSON, USAGE, SkippedTime, Stage
from tests.e2e.states import DAY_S, with_grace

GATEWAY = "prod/pinata/gateway"


@dataclass(frozen=True)
class Fleet:
    """What was played, and what is known of it without the trail."""

    stage: Stage
    began: datetime
    ended: datetime
    by_hand: str
    """The key that `uploader` began with."""
    leaked: str
    folder: Path
    where: str
    """Its trail."""

    def report(self, *args: str, code: int = 0, start: datetime | None = None, end: datetime | None = None) -> Any:  # noqa: ANN401 - what JSON holds
        """Return what the command prints; by default about all that was played."""
        period = ("--from", time_text(start or self.began), "--to", time_text(end or self.ended))
        done = self.stage.rotator("report", *period, *args)
        assert done.returncode == code, done.stdout + done.stderr
        self.stage.said(done)
        return json.loads(done.stdout)

    def secret(self, name: str, start: datetime | None = None, end: datetime | None = None) -> Any:  # noqa: ANN401 - what JSON holds
        """Return what the report has about one secret."""
        secrets = self.report(start=start, end=end)["secrets"]
        (found,) = (secret for secret in secrets if secret["name"] == name)
        return found


def killed_after_its_promotion(stage: Stage) -> None:
    """Let a run die when AWSCURRENT has moved and its trail does not say so yet."""
    secrets, victims = stage.sandbox.secrets_manager.secrets, list[subprocess.Popen[str]]()
    real, before = secrets.answer, stage.labels()["AWSCURRENT"]

    def answer(operation: str, sent: Json, scope: Scope) -> Json:
        answered = real(operation, sent, scope)
        if operation == "UpdateSecretVersionStage":
            victims[0].kill()
            victims[0].wait(COMMAND_S)
        return answered

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(secrets, "answer", answer)
        victims.append(stage.start("run", "uploader"))
        victims[0].communicate(timeout=COMMAND_S)
    assert victims[0].returncode == -signal.SIGKILL
    assert stage.labels()["AWSCURRENT"] != before


def played(stage: Stage) -> None:
    """Let three months pass, with what goes wrong in such a time."""
    killed_after_its_promotion(stage)
    assert stage.rotator("run").returncode == 0
    stage.passes(2 * DAY_S)
    stage.rotator("run")  # both hand-made keys die
    stage.rotator("hold", "uploader", "--reason", "migration of the image service")
    stage.passes(35 * DAY_S)
    assert stage.rotator("run").returncode == PERSON  # `gateway` rotates, `uploader` is on hold
    stage.rotator("release", "uploader")
    stage.rotator("run")
    stage.passes(2 * DAY_S)
    stage.rotator("run")
    stage.passes(31 * DAY_S)
    stage.inject(Respond(Side.BEFORE, 500), Operation.CREATE, None)
    assert stage.rotator("run", "uploader").returncode == FAILED
    stage.heal()
    stage.rotator("rotate", "uploader")
    stage.passes(2 * DAY_S)
    stage.rotator("run", "uploader")
    stage.passes(DAY_S)


def trail_in_bucket(stage: Stage, bucket: str) -> str:
    """Move the trail from the directory to a new bucket, alone; where it is then."""
    url, where = stage.sandbox.secrets_manager.endpoint_url, f"s3://{bucket}/trail/"
    stage.edit('directory = "audit"', f's3 = "{where}"')
    stage.edit(f'endpoint_url = "{url}"', f'endpoint_url = "{url}"\ns3_endpoint_url = "{url}"')
    session = boto3.Session("sandbox", "sandbox", region_name="us-east-1")
    session.client("s3", endpoint_url=url).create_bucket(Bucket=bucket)
    return where


@contextmanager
def fleet_in(folder: Path, bucket: str = "") -> Iterator[Fleet]:
    """Play, with the trail in a directory, or in a bucket."""
    with time_machine.travel(datetime.now(UTC), tick=True) as clocks, Sandbox(folder) as sandbox:
        stage = Stage(sandbox, SkippedTime(clocks))
        with_grace(stage)
        where = trail_in_bucket(stage, bucket) if bucket else str(sandbox.audit_directory)
        sandbox.create_secret(GATEWAY, value_of(sandbox.seed_key("gateway key, made by hand")))
        stage.add_secret("gateway", GATEWAY)
        began, by_hand = datetime.now(UTC), sandbox.current_key_id()
        played(stage)
        leaked = sandbox.current_key_id()
        assert stage.rotator("contain", "uploader", "--reason", "it was in a CI log").returncode == 0
        stage.passes(3_600)
        assert bool(list(sandbox.audit_directory.iterdir())) is not bool(bucket)
        yield Fleet(stage, began, datetime.now(UTC), by_hand, leaked, folder, where)


@pytest.fixture(scope="module", params=["", "evidence"], ids=["directory", "bucket"])
def fleet(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Play once in each place; the tests only read."""
    with fleet_in(tmp_path_factory.mktemp("fleet"), request.param) as fleet:
        yield fleet


ON_DISK = pytest.mark.parametrize("fleet", [""], ids=["directory"], indirect=True)


def of_kind(secret: Any, kind: str) -> list[Any]:  # noqa: ANN401 - what JSON holds
    """Return a secret's exceptions of one kind."""
    return [one for one in secret["exceptions"] if one["kind"] == kind]


def test_what_was_verified_and_by_whom(fleet: Fleet) -> None:
    """The report says when, by what and from where it was made, and what the trail's own verification found."""
    report = fleet.report()
    verified = report["verification"]
    assert (report["made_by"]["program"], verified["verdict"]) == ("rotator", "intact")
    assert report["period"] == {
        "start": time_text(fleet.began),
        "end": time_text(fleet.ended),
        "as_of": time_text(fleet.ended),
    }
    assert report["made_at"] >= time_text(fleet.ended)
    (place,) = verified["places"]
    (told,) = fleet.stage.rows("audit", "verify")
    assert place == told
    assert place["where"] == fleet.where
    assert f"Its head is {place['ledger']['head']}" in verified["meaning"]
    assert [secret["name"] for secret in report["secrets"]] == ["uploader", "gateway"]


def test_keys_over_time(fleet: Fleet) -> None:
    """Each key is there from its making to its proven death, also the one whose promotion was never confirmed."""
    secret = fleet.secret("uploader")
    keys = {key["key_id"]: key for key in secret["keys"]}
    made = [key for key in secret["keys"] if key["made_at"]]
    assert [key["generation"] for key in made] == [1, 2, 3, 4]
    assert all(key["current_from"] for key in made)
    assert [key["current_to"] for key in made] == [*(key["current_from"] for key in made[1:]), None]
    by_hand = keys[fleet.by_hand]
    assert (by_hand["generation"], by_hand["made_at"], by_hand["version_id"]) == (None, None, None)
    assert by_hand["current_to"] == made[0]["current_from"]
    for key in secret["keys"][:-1]:
        assert key["dead_at"] >= key["revoked_at"] >= key["current_to"] >= time_text(fleet.began)
        assert key["proof"]
        assert key["promoted_to_dead_s"] is None or key["promoted_to_dead_s"] > 0
    assert (made[-1]["dead_at"], made[-1]["promoted_to_dead_s"]) == (None, None)
    assert made[-1]["key_id"] == fleet.stage.sandbox.current_key_id()


def test_rotations(fleet: Fleet) -> None:
    """Each promotion has its run, who ran it and why, the key before it and how long that one lived on."""
    secret = fleet.secret("uploader")
    first, late, again, contained = secret["rotations"]
    assert [one["old_key_id"] for one in secret["rotations"]] == [
        fleet.by_hand,
        *(one["key_id"] for one in (first, late, again)),
    ]
    assert (first["ended_at"], first["old_key_age_s"]) == (None, None)
    assert late["began_at"] <= late["promoted_at"] <= late["ended_at"]
    assert (late["reason"], late["trigger"], contained["reason"]) == ("AGED_OUT", "cli", "CONTAINED")
    assert all(one["user"] and one["host"] and len(one["run_id"]) == 32 for one in secret["rotations"])
    assert late["old_key_dead_after_s"] == pytest.approx(2 * DAY_S, abs=600)
    assert contained["old_key_dead_after_s"] < 600
    assert late["old_key_age_s"] == pytest.approx(37 * DAY_S, abs=600)


def test_exceptions(fleet: Fleet) -> None:
    """A run that failed, one that was killed, a key that was replaced too late and one that outlives its grace."""
    secret = fleet.secret("uploader")
    (failed,) = of_kind(secret, "run_failed")
    assert (failed["code"], failed["key_id"]) == ("CreateOutcomeUnknownError", None)
    assert failed["message"] in fleet.stage.rotator("audit", "show", "--run", failed["run_id"]).stdout
    (cut,) = of_kind(secret, "run_cut_short")
    assert cut["run_id"] == secret["rotations"][0]["run_id"]
    assert [one["run_id"] for one in of_kind(secret, "key_replaced_late")] == [
        one["run_id"] for one in secret["rotations"][1:3]
    ]
    assert {one["kind"] for one in secret["exceptions"]} == {"run_failed", "run_cut_short", "key_replaced_late"}
    gateway = fleet.secret("gateway")
    (overdue,) = of_kind(gateway, "key_overdue")
    assert overdue["key_id"] == gateway["keys"][-1]["key_id"]
    assert overdue["at"] < time_text(fleet.ended)


def test_an_old_key_that_is_alive_at_the_end_is_an_exception(fleet: Fleet) -> None:
    """As of the day after a rotation the old key lives; what came later is not in the report."""
    promoted = fleet.secret("gateway")["rotations"][1]["promoted_at"]
    end = datetime.fromisoformat(promoted) + timedelta(hours=12)
    secret = fleet.secret("gateway", end=end)
    (alive,) = of_kind(secret, "key_alive_after_replacement")
    assert (alive["key_id"], alive["at"]) == (secret["rotations"][1]["old_key_id"], promoted)
    assert secret["rotations"][1]["old_key_dead_after_s"] is None
    assert secret["last_record_at"] < time_text(end)


def test_holds_and_containments(fleet: Fleet) -> None:
    """Who put on and lifted the hold, who demanded the containment, and what answered it."""
    secret = fleet.secret("uploader")
    told = [(one["kind"], one["result"], one["text"]) for one in secret["demands"]]
    assert told == [
        ("hold_set", "success", "migration of the image service"),
        ("hold_lifted", "success", None),
        ("containment_demanded", "success", f"{fleet.leaked} it was in a CI log"),
        ("containment_ended", "success", f"{fleet.leaked} it was in a CI log"),
    ]
    assert all(one["trigger"] == "cli" and one["user"] and one["host"] for one in secret["demands"])
    assert fleet.secret("gateway")["demands"] == []


def test_a_later_period_begins_with_the_keys_that_were_alive(fleet: Fleet) -> None:
    """What happened before it is not counted, and keys that were dead by then are left out."""
    start = fleet.ended - timedelta(hours=12)
    secret = fleet.secret("uploader", start=start)
    assert [key["generation"] for key in secret["keys"]] == [3, 4]
    assert [one["reason"] for one in secret["rotations"]] == ["CONTAINED"]
    assert {one["kind"] for one in secret["demands"]} == {"containment_demanded", "containment_ended"}
    assert secret["first_record_at"] == fleet.secret("uploader")["first_record_at"]


def test_a_period_without_a_record(fleet: Fleet) -> None:
    """Before the first run nothing is known, and nothing is made up: null, and no rows."""
    report = fleet.report(start=fleet.began - timedelta(days=90), end=fleet.began - timedelta(days=1))
    for secret in report["secrets"]:
        assert (secret["first_record_at"], secret["arn"]) == (None, None)
        assert secret["keys"] == secret["rotations"] == secret["exceptions"] == secret["demands"] == []


@pytest.mark.parametrize(
    ("start", "end", "said"),
    [
        ("2026-04-01", "2026-01-01", "--from is not before --to"),
        ("2026-04-01", "2026-04-01", "--from is not before --to"),
        ("spring", "2026-04-01", "neither a time nor an age"),
        ("2999-01-01", "2999-04-01", "begins in the future"),
    ],
)
def test_a_period_that_is_none_is_refused(fleet: Fleet, start: str, end: str, said: str) -> None:
    """An empty, reversed or future period is a slip of the hand: one sentence, exit code 2, and no page."""
    target = fleet.folder / "never.html"
    done = fleet.stage.rotator("report", "--from", start, "--to", end, "--html", str(target))
    assert (done.returncode, done.stdout) == (USAGE, "")
    assert said in fleet.stage.said(done)
    assert not target.exists()


class Page(HTMLParser):
    """What a page would fetch or run, and what it says."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.outside: list[str] = []
        self.text: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note every reference that leaves the page, and every script."""
        for name, value in attrs:
            leaves = name in {"href", "src", "action", "srcset", "data"} and not (value or "").startswith("#")
            if leaves or name.startswith("on"):
                self.outside.append(f"{tag} {name}={value}")
        if tag in {"script", "link", "iframe", "img", "object"}:
            self.outside.append(tag)

    def handle_data(self, data: str) -> None:
        """Note a text."""
        self.text += data.split()


def test_the_page_stands_alone_and_has_the_figures(fleet: Fleet) -> None:
    """It fetches and runs nothing, only its owner may read it, and what JSON has stands on it."""
    target = fleet.folder / "report.html"
    target.write_text("an older one")
    target.chmod(0o644)
    report = fleet.report("--html", str(target))
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert [path.name for path in fleet.folder.iterdir() if path.name.startswith(".")] == []
    page = Page(target.read_text())
    assert page.outside == []
    assert re.findall(r"@import|url\((?!#)|https?://", target.read_text()) == []
    text = " ".join(page.text)
    for secret in report["secrets"]:
        ids = {key["key_id"] for key in secret["keys"]} | {one["run_id"] for one in secret["rotations"]}
        figures = {one["message"].replace("`", "") for one in secret["exceptions"]} | ids | {secret["arn"]}
        times = {one["promoted_at"].replace("T", " ").replace("Z", " UTC") for one in secret["rotations"]}
        for figure in {secret["name"], *figures, *times, *(one["text"] for one in secret["demands"] if one["text"])}:
            assert " ".join(figure.split()) in text, figure
    first_sheet = text.partition("uploader")[0]
    for figure in (report["made_by"]["version"], "intact", time_text(fleet.began)[:10], report["made_by"]["host"]):
        assert figure in first_sheet


@pytest.mark.slow
@pytest.mark.xdist_group("browser")
def test_the_page_prints(fleet: Fleet) -> None:
    """In Chromium tables stay tables on paper, each secret begins a sheet, and nothing is fetched or complained of."""
    if installed() is None:
        if os.environ.get("CI"):
            pytest.fail(MISSING)
        pytest.skip(MISSING)
    target = fleet.folder / "printed.html"
    fleet.report("--html", str(target))
    complaints: list[str] = []
    with chromium() as browser, browser.new_context() as context:
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("request", lambda request: complaints.append(request.url))
        page.set_content(target.read_text())
        page.set_viewport_size({"width": 320, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= 320
        page.set_viewport_size({"width": 700, "height": 800})
        page.emulate_media(media="print")
        heads = "[...document.querySelectorAll('thead')].map(head => getComputedStyle(head).display)"
        assert set(page.evaluate(heads)) == {"table-header-group"}
        sheets = "[...document.querySelectorAll('.secret')].map(part => getComputedStyle(part).breakBefore)"
        assert page.evaluate(sheets) == ["page", "page"]
        printed = page.pdf(prefer_css_page_size=True)
    assert len(re.findall(rb"/Type */Page\b", printed)) >= 3
    assert complaints == []


def test_a_directory_is_not_overwritten(fleet: Fleet, tmp_path: Path) -> None:
    """A directory as FILE, and a folder that is not there, are refused; what is there stays."""
    period = ("--from", "1d", "--to", time_text(fleet.ended))
    for target, said in ((tmp_path, "--html is a directory"), (tmp_path / "nowhere" / "a.html", "was not written")):
        done = fleet.stage.rotator("report", *period, "--html", str(target))
        assert (done.returncode, done.stdout) == (USAGE, "")
        assert said in fleet.stage.said(done)
    assert list(tmp_path.iterdir()) == []


@ON_DISK
@pytest.mark.parametrize(
    ("change", "verdict", "code"), [("edited", "broken", PERSON), ("gone", "nothing", FAILED)], ids=str
)
def test_a_trail_that_is_not_intact(fleet: Fleet, tmp_path: Path, change: str, verdict: str, code: int) -> None:
    """The report is made all the same, with the verdict on both its forms and the exit code of `audit verify`."""
    trail, config, target = tmp_path / "audit", tmp_path / "rotator.toml", tmp_path / "report.html"
    shutil.copy(fleet.stage.sandbox.config_path, config)
    shutil.copytree(fleet.stage.sandbox.audit_directory, trail)
    path = min(audit_files(trail))
    if change == "edited":
        path.write_text(path.read_text().replace('"status":"Success"', '"status":"Failure"', 1))
    else:
        shutil.rmtree(trail)
        trail.mkdir(mode=0o700)
    report = fleet.report("--config", str(config), "--html", str(target), code=code)
    assert report["verification"]["verdict"] == verdict
    (place,) = report["verification"]["places"]
    assert bool(place["findings"]) == (change == "edited")
    assert len(report["secrets"]) == 2
    assert verdict in Page(target.read_text()).text
    assert all(finding["detail"] in " ".join(Page(target.read_text()).text) for finding in place["findings"])
    assert fleet.stage.rotator("audit", "verify", "--config", str(config)).returncode == code


@ON_DISK
def test_a_secret_that_is_no_longer_configured(fleet: Fleet, tmp_path: Path) -> None:
    """It is in the report as the trail has it, and what only the configuration would say is unknown."""
    text = fleet.stage.sandbox.config_path.read_text()
    config = tmp_path / "rotator.toml"
    config.write_text(text.partition('\n[[secrets]]\nname = "gateway"')[0])
    (tmp_path / "audit").symlink_to(fleet.stage.sandbox.audit_directory)
    (gateway,) = (s for s in fleet.report("--config", str(config))["secrets"] if s["name"] == "gateway")
    assert (gateway["configured"], gateway["max_age_s"], gateway["grace_s"]) == (False, None, None)
    assert len(gateway["rotations"]) == 2
    assert of_kind(gateway, "key_overdue") == []


def test_a_bucket_that_went_away_in_mid_run(stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rotation whose end could not be recorded is in the report: without an end at first, and then as cut short."""
    trail_in_bucket(stage, "interrupted")
    stage.rotator("run")
    stage.passes(60)
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)
    began, secrets = datetime.now(UTC), stage.sandbox.secrets_manager.secrets
    real, faults = secrets.answer, stage.sandbox.secrets_manager.faults

    def answer(operation: str, sent: Json, scope: Scope) -> Json:
        answered = real(operation, sent, scope)
        if operation == "UpdateSecretVersionStage":
            faults.add(Fault(Kind.ERROR, times=0))
        return answered

    with monkeypatch.context() as patch:
        patch.setattr(secrets, "answer", answer)
        done = stage.rotator("rotate", "uploader")
    faults.clear()
    assert done.returncode == AUDIT, stage.said(done)
    current = stage.sandbox.current_key_id()

    def reported(code: int, *args: str) -> Any:  # noqa: ANN401 - what JSON holds
        end = datetime.now(UTC) + timedelta(seconds=1)
        done = stage.rotator("report", "--from", time_text(began), "--to", time_text(end), *args)
        assert done.returncode == code, stage.said(done)
        (secret,) = json.loads(done.stdout)["secrets"]
        return secret

    secret = reported(0)
    (unended,) = secret["exceptions"]  # whether its key became current is not known, so nothing is said of that
    assert (unended["kind"], secret["rotations"]) == ("run_without_end", [])
    assert [key["current_from"] for key in secret["keys"] if key["key_id"] == current] == [None]
    stage.passes(DAY_S)
    stage.rotator("run")
    target = tmp_path / "report.html"
    secret = reported(0, "--html", str(target))
    (rotation,) = secret["rotations"]
    assert (rotation["key_id"], rotation["ended_at"]) == (current, None)
    (cut,) = secret["exceptions"]
    assert (cut["kind"], cut["run_id"]) == ("run_cut_short", rotation["run_id"])
    text = " ".join(Page(target.read_text()).text)
    assert rotation["run_id"] in text
    assert cut["message"] in text
