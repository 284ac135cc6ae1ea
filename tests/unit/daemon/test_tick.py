"""The daemon over months and years of simulated time: no miss, no double, whatever happens to it and its clock."""

import itertools
import re
from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from rotator.engine.jitter import rotate_after
from rotator.engine.windows import openings
from rotator.model.naming import generation_of_version, time_of_version
from rotator.model.plan import OutcomeKind
from rotator.model.reasons import Reason
from rotator.model.secret import SecretSpec
from rotator.page import Sources
from rotator.page.sources import Told
from rotator.sandbox.pinata.switches import Switches
from rotator.sandbox.secrets_manager import rules as label_rules
from tests.builders import NATIVE_ID, a_spec
from tests.simulated.daemon import Daemon, Guard
from tests.simulated.scene import Scene
from tests.simulated.world import Fault, Operation, Systems, on
from tests.unit.page.wsgi import ask

HOUR, DAY, YEAR = timedelta(hours=1), timedelta(days=1), timedelta(days=365)
MONTH = timedelta(days=30)
SECRET = "prod/pinata/uploader"


def scene_of(**changes: object) -> Scene:
    """Return a secret with a hand-made key."""
    return Scene.hand_made(a_spec(**changes), Switches(jwt_lifetime_s=None))


def a_daemon(scene: Scene, folder: Path, defaults: str = "", daemon: str = "") -> Daemon:
    """Return a daemon that watches the scene's secret."""
    return Daemon(scene.systems, folder, (SECRET,), defaults, daemon)


def lives(scene: Scene, daemon: Daemon, span: timedelta, every: timedelta = HOUR) -> None:
    """Let it tick through a time."""
    until = scene.systems.now() + span
    while scene.systems.now() < until:
        daemon.tick()
        scene.passes(every)


@pytest.mark.slow
@pytest.mark.parametrize("remembers", [True, False], ids=["trail readable", "nothing recalled"])
def test_restart_at_every_tick_for_a_year(tmp_path: Path, *, remembers: bool) -> None:
    """A process that dies after each tick rotates as often, and as punctually, as one that lives."""
    scene = scene_of()
    daemon = a_daemon(scene, tmp_path)
    until, every = scene.systems.now() + YEAR, timedelta(hours=8)
    while scene.systems.now() < until:
        daemon.tick()
        scene.passes(every)
        if not remembers:
            daemon.ended.clear()
        daemon.restart()
    rotations = daemon.rotations()
    due_after = rotate_after(MONTH, scene.arn)
    assert len(rotations) == 1 + YEAR // due_after
    assert all(due_after <= b - a <= due_after + 2 * every for a, b in pairwise(rotations))
    assert scene.current_key() in scene.live_keys()
    assert len(scene.live_keys()) <= 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("zone", "start", "end", "days"),
    [
        pytest.param("Europe/Berlin", "02:00", "03:00", 7, id="the hour that is skipped and doubled"),
        pytest.param("Australia/Lord_Howe", "01:30", "02:30", 7, id="half an hour on Lord Howe"),
        pytest.param("Europe/Berlin", "22:00", "04:00", 2, id="weekend nights"),
    ],
)
def test_year_of_windows(tmp_path: Path, zone: str, start: str, end: str, days: int) -> None:
    """Every rotation lies in the window, none is missed, none is doubled, through both changes of the clock."""
    names = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")[-days:]
    window = f'window = {{ days = {list(names)!r}, from = "{start}", to = "{end}", zone = "{zone}" }}'
    scene = scene_of()
    daemon = a_daemon(scene, tmp_path, f'max_age = "10d"\n{window}')
    (spec,) = daemon.watch.config.now.secrets
    began = scene.systems.now()
    for at in _interesting(spec, began, began + YEAR):
        if at > scene.systems.now():
            scene.passes(at - scene.systems.now())
        daemon.tick()
    rotations = [time_of_version(o.version_id or "") for _, o in daemon.outcomes if o.kind == "rotated"]
    local = [at.astimezone(ZoneInfo(zone)) for at in rotations if at]
    assert len(local) == len(rotations)
    assert all(_is_on_the_clock(at, time.fromisoformat(start), time.fromisoformat(end), names) for at in local)
    assert len({at.utcoffset() for at in local}) == 2, "the year has summer time and winter time"
    due_after = rotate_after(timedelta(days=10), scene.arn)
    closed = timedelta(days=8 - days)
    assert all(due_after <= b - a <= due_after + closed + DAY for a, b in pairwise(rotations) if a and b)
    assert 365 // (10 + closed.days + 1) <= len(rotations) <= 1 + 365 // 9
    assert [row.error for row in daemon.watch.status.secrets] == [""]
    waits = [o for _, o in daemon.outcomes if o.reason is Reason.OUTSIDE_WINDOW]
    assert len(waits) < 24 * len(rotations) * closed.days * 2, "it looked again and again though it could only wait"


def _is_on_the_clock(at: datetime, start: time, end: time, days: Sequence[str]) -> bool:
    """Tell by a wall clock on the spot whether it is a window's time; a night belongs to the day it begins on."""
    past_midnight = end <= start and at.time() < end
    began_on = at.date() - DAY if past_midnight else at.date()
    inside = start <= at.time() < end if start < end else at.time() >= start or at.time() < end
    return inside and f"{began_on:%a}" in days


def _interesting(spec: SecretSpec, since: datetime, until: datetime) -> list[datetime]:
    """Return when to tick: each fourth of a day, and around every edge of the window."""
    moments = {since + HOUR * 6 * step for step in range((until - since) // (HOUR * 6))}
    for opens, closes in openings(spec, since, until):
        edge = timedelta(seconds=1)
        moments |= {opens - edge, opens, opens + (closes - opens) / 2, closes - edge, closes}
    return sorted(moments)


@pytest.mark.parametrize("jump", [DAY, -DAY, YEAR, -YEAR], ids=str)
@pytest.mark.slow
def test_wall_clock_jumps(tmp_path: Path, jump: timedelta) -> None:
    """While the clock is wrong nothing is done and it is said; once it is right, all is as before."""
    scene = scene_of()
    daemon = a_daemon(scene, tmp_path)
    lives(scene, daemon, 10 * DAY)
    before = scene.live_keys(), scene.labels()
    daemon.off_s = jump.total_seconds()
    scene.systems.skew_s = -jump.total_seconds()
    lives(scene, daemon, DAY)
    assert (scene.live_keys(), scene.labels()) == before
    assert "clock" in daemon.watch.ready()
    daemon.off_s = scene.systems.skew_s = 0.0
    lives(scene, daemon, 25 * DAY)
    first, second = daemon.rotations()
    assert second - first <= rotate_after(MONTH, scene.arn) + 2 * HOUR
    assert daemon.watch.ready() == ""


def test_day_that_comes_twice(tmp_path: Path) -> None:
    """Every clock goes back by a day, so the last look lies ahead; a key that died meanwhile is replaced at once."""
    scene = scene_of()
    daemon = a_daemon(scene, tmp_path)
    lives(scene, daemon, 5 * DAY)
    dead = scene.current_key()
    assert dead
    scene.systems.now_s -= DAY.total_seconds()
    scene.revoke(dead)
    daemon.tick()
    assert scene.current_key() in scene.live_keys()
    assert len(daemon.rotations()) == 2
    lives(scene, daemon, DAY)
    assert len(daemon.rotations()) == 2
    assert daemon.watch.ready() == ""


@pytest.mark.slow
def test_two_daemons_and_a_person_on_one_secret(tmp_path: Path) -> None:
    """A month in which a second daemon and a command act in the middle of the first one's calls harms nobody."""
    scene = scene_of(max_age=2 * DAY, grace=timedelta(hours=6), settle=timedelta(0))
    defaults = 'max_age = "2d"\ngrace = "6h"\nsettle = "0s"\ncheck_every = "1h"'
    folders = tmp_path / "one", tmp_path / "two"
    for folder in folders:
        folder.mkdir()
    first, second = (a_daemon(scene, folder, defaults) for folder in folders)
    second.number = 1
    turn = itertools.count()
    guard = Guard(scene)

    def meanwhile(_: Operation) -> None:
        guard.happens = lambda _: None  # what happens inside is not interrupted itself
        number = next(turn) % 7
        if number == 2:
            second.tick()
        elif number == 5:
            scene.run(boundary=guard)
        guard.happens = meanwhile

    first.boundary = second.boundary = guard
    guard.happens = meanwhile
    lives(scene, first, MONTH)
    guard.happens = lambda _: None
    assert guard.checked > 3000
    versions = [o.version_id or "" for d in (first, second) for _, o in d.outcomes]
    assert max(map(generation_of_version, versions)) >= 12, "each of the three rotates its part"
    for _ in range(4):
        first.tick()
        scene.passes(timedelta(hours=7))
    assert len(scene.live_keys()) <= 2, "the current key, and one in its grace"
    guard.check()
    assert not any(row.orphans for row in first.watch.status.secrets)


@pytest.mark.parametrize(
    "frozen_at", [Operation.CREATE_KEY, Operation.PUT_VALUE, Operation.PROMOTE, Operation.REVOKE_KEY]
)
def test_one_of_two_daemons_is_frozen(tmp_path: Path, frozen_at: Operation) -> None:
    """One stands still just before an effect, the other does the whole work meanwhile; nobody is harmed."""
    scene = scene_of(grace=timedelta(0), settle=timedelta(0))
    folders = tmp_path / "one", tmp_path / "two"
    for folder in folders:
        folder.mkdir()
    frozen, other = (a_daemon(scene, f, 'grace = "0s"\nsettle = "0s"') for f in folders)
    other.number = 1
    guard = Guard(scene)
    awoken: list[Operation] = []

    def meanwhile(operation: Operation) -> None:
        if operation is frozen_at and not awoken:
            awoken.append(operation)
            other.tick()
            scene.passes(timedelta(minutes=3))

    guard.happens = meanwhile
    frozen.boundary = other.boundary = guard
    for _ in range(6):
        frozen.tick()
        scene.passes(HOUR)
        other.tick()
    assert awoken
    assert scene.is_settled()
    assert [row.failures for d in (frozen, other) for row in d.watch.status.secrets] == [0, 0]


def test_failing_secret_is_tried_less_and_less(tmp_path: Path) -> None:
    """Tries come at once, then ever later, at most an hour apart; a restart does not begin anew."""
    scene = Scene.own(a_spec())
    daemon = a_daemon(scene, tmp_path, daemon="")
    (tmp_path / "rotator.toml").write_text(
        (tmp_path / "rotator.toml").read_text().replace('every = "30m"', 'every = "5m"')
    )
    daemon.restart()
    daemon.boundary = on(Operation.CREATE_KEY, Fault.REJECTED, times=10_000)
    tries = []
    for minute in range(0, 5 * 60, 5):
        before = len(daemon.outcomes)
        daemon.tick()
        tries += [minute] * (len(daemon.outcomes) - before)
        daemon.restart()
        scene.passes(timedelta(minutes=5))
    assert tries == [0, 5, 10, 25, 60, 120, 180, 240]
    daemon.tick()
    (row,) = daemon.watch.status.secrets
    assert row.failures == len(tries) + 1
    assert row.needs_person
    daemon.boundary = lambda _: None
    scene.passes(HOUR)
    daemon.tick()
    assert daemon.outcomes[-1][1].kind is OutcomeKind.ROTATED


def test_idle_tick_asks_nobody_but_the_list(tmp_path: Path) -> None:
    """Of three settled secrets none is looked at closely; one page of ListSecrets is all that is asked."""
    systems = Systems.empty()
    names = tuple(f"prod/s{number}" for number in range(3))
    scenes = []
    for name in names:
        scene = Scene(systems, a_spec(name=name, secret_id=name, check_every=DAY))
        systems.secrets[name] = label_rules.create(systems.now_s, token=NATIVE_ID, value=scene.value(scene.seed(name)))
        scenes.append(scene)
    daemon = Daemon(systems, tmp_path, names, 'check_every = "365d"\ngrace = "0s"')
    for _ in range(3):
        daemon.tick()
        systems.now_s += 60
    asked: list[Operation] = []
    daemon.boundary = asked.append
    daemon.tick()
    assert asked == [Operation.LIST_SECRETS]
    assert [row.generation for row in daemon.watch.status.secrets] == [1, 1, 1]


def test_labels_of_all_change_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tick looks at so many, those that are due first; the ticks right after it look at the rest, each once."""
    systems = Systems.empty()
    names = tuple(f"prod/s{number}" for number in range(25))
    scenes = [Scene(systems, a_spec(name=name, secret_id=name, check_every=DAY)) for name in names]
    for scene in scenes:
        systems.secrets[scene.name] = label_rules.create(
            systems.now_s, token=NATIVE_ID, value=scene.value(scene.seed(scene.name))
        )
    daemon = Daemon(systems, tmp_path, names, 'check_every = "365d"\ngrace = "0s"')
    early = {"prod-s7", "prod-s24"}
    text = daemon.path.read_text()
    for name in early:
        text = text.replace(f'name = "{name}"\n', f'name = "{name}"\nmax_age = "10d"\n')
    daemon.path.write_text(text)
    for _ in range(3):
        daemon.tick()
        systems.now_s += 60
    daemon.outcomes.clear()
    systems.now_s += (10 * DAY).total_seconds()
    for scene in scenes:
        scene.hold()
        scene.release()
    systems.now_s += 1
    monkeypatch.setattr("rotator.daemon.tick.LOOKS_MAX", 10)
    looked: list[set[str]] = []
    more = True
    while more:
        more = daemon.watch.tick()
        looked.append({outcome.secret for _, outcome in daemon.outcomes})
        assert len(looked) < 10, "ticks follow each other without an end"
        daemon.outcomes.clear()
    assert [len(names) for names in looked] == [10, 10, 5]
    assert looked[0] >= early
    assert set.union(*looked) == {name.replace("/", "-") for name in names}
    systems.now_s += 60
    changed = {
        name
        for name, look in daemon.watch._looks.items()
        if look.findings and look.looked_at and look.findings.changed_at > look.looked_at
    }
    assert not daemon.watch.tick()
    again = {outcome.secret for _, outcome in daemon.outcomes}
    assert early <= again <= changed, "only what its own look has changed is looked at once more"


def test_crowd_that_is_awake_at_each_tick_keeps_nobody_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More unfinished secrets than one tick has time for have their turns, and do not keep the daemon busy for ever."""
    systems = Systems.empty()
    names = tuple(f"prod/s{number}" for number in range(7))
    for name in names:
        scene = Scene(systems, a_spec(name=name, secret_id=name))
        systems.secrets[name] = label_rules.create(systems.now_s, token=NATIVE_ID, value=scene.value(scene.seed(name)))
    daemon = Daemon(systems, tmp_path, names)
    daemon.boundary = on(Operation.CREATE_KEY, Fault.LOST, times=10_000)
    monkeypatch.setattr("rotator.daemon.tick.LOOKS_MAX", 3)
    assert [daemon.watch.tick() for _ in range(3)] == [True, True, False]
    assert sorted(outcome.secret for _, outcome in daemon.outcomes) == [name.replace("/", "-") for name in names]


def test_nothing_is_called_while_the_trail_cannot_be_written(tmp_path: Path) -> None:
    """Not ready, and nobody is asked anything."""
    scene = scene_of()
    daemon = a_daemon(scene, tmp_path, daemon='ping_url = "https://hc.example.com/x"')
    daemon.audit_error = "the disk is full"
    daemon.tick()
    assert daemon.connects == 0
    assert "the disk is full" in daemon.watch.ready()
    assert daemon.watch.status.audit_error == "the disk is full"
    assert daemon.pings == []
    daemon.audit_error = ""
    daemon.tick()
    assert daemon.watch.ready() == ""
    assert len(daemon.pings) == 1


def test_no_ping_while_anything_fails(tmp_path: Path) -> None:
    """A dead-man's switch hears of success alone: not of a tick that failed, nor of one with a failing secret."""
    scene = Scene.own(a_spec())
    daemon = a_daemon(scene, tmp_path, daemon='ping_url = "https://hc.example.com/x"')
    daemon.boundary = on(Operation.CREATE_KEY, Fault.LOST, times=1)
    daemon.tick()
    assert daemon.pings == []
    daemon.boundary = on(Operation.DESCRIBE, Fault.LOST, times=99)
    scene.passes(HOUR)
    daemon.tick()
    assert daemon.pings == []
    daemon.boundary = lambda _: None
    scene.passes(HOUR)
    daemon.tick()
    assert len(daemon.pings) == 1


def headline_of(daemon: Daemon) -> str:
    """Return what the page answers to "is everything fine?"."""
    watch = daemon.watch
    shown = Sources(
        lambda: watch.status, lambda: "", watch.ready, lambda: ("", b""), lambda _: Told(()), now=daemon.now
    )
    found = re.search("<h1>(.*)</h1>", ask(shown).text)
    assert found
    return found[1]


def test_page_says_fine_only_of_what_it_has_seen(tmp_path: Path) -> None:
    """Nothing is fine before the first tick ends, nor after a restart until a tick with a close look has said so."""
    scene = scene_of()
    daemon = a_daemon(scene, tmp_path)
    assert headline_of(daemon) == "The daemon is not ready"
    during: list[str] = []

    def listen(_: object) -> None:
        during.append(headline_of(daemon))

    daemon.boundary = listen
    daemon.tick()
    assert set(during) == {"The daemon is not ready"}
    daemon.boundary = lambda _: None
    lives(scene, daemon, 3 * HOUR)
    daemon.tick()
    assert headline_of(daemon) == "The one secret is fine"
    daemon.restart()
    assert headline_of(daemon) == "The daemon is not ready"
    daemon.tick()
    assert headline_of(daemon) == "The one secret is fine"


def test_a_large_fleet_is_not_looked_at_at_once_after_a_restart(tmp_path: Path) -> None:
    """The trail tells nothing of looks that found nothing to do, so each secret waits for its slot."""
    names = [f"prod/{number}" for number in range(150)]
    scene = Scene.own(a_spec())
    for name in names:
        scene.systems.secrets[name] = scene.secret
    daemon = Daemon(scene.systems, tmp_path, tuple(names), defaults='check_every = "6h"')
    lives(scene, daemon, 2 * HOUR, every=HOUR / 2)
    looked = {outcome.secret for _, outcome in daemon.outcomes}
    assert len(looked) == len(names)
    daemon.outcomes.clear()
    daemon.restart()
    daemon.tick()
    assert len(daemon.outcomes) < len(names) / 4, "as many as have their slot, and no more"
    lives(scene, daemon, 7 * HOUR, every=HOUR / 2)
    assert {outcome.secret for _, outcome in daemon.outcomes} == looked


def test_a_grace_that_ends_while_no_process_lives_is_not_waited_out_twice(tmp_path: Path) -> None:
    """In a large fleet a secret waits for its slot after a restart, except one whose old key is to die."""
    names = [f"prod/{number}" for number in range(150)]
    scene = Scene.own(a_spec(grace=2 * HOUR))
    for name in names:
        scene.systems.secrets[name] = scene.secret
    daemon = Daemon(scene.systems, tmp_path, tuple(names), defaults='check_every = "20h"\ngrace = "2h"')
    lives(scene, daemon, HOUR, every=HOUR / 2)
    rotated = {outcome.secret for _, outcome in daemon.outcomes if outcome.kind == "rotated"}
    assert len(rotated) == len(names)
    scene.passes(3 * HOUR)
    daemon.outcomes.clear()
    daemon.restart()
    lives(scene, daemon, HOUR, every=HOUR / 2)
    assert {outcome.secret for _, outcome in daemon.outcomes} == rotated


def test_page_recalls_failures_after_a_restart(tmp_path: Path) -> None:
    """A secret that failed is failing for the next process, too, though nobody has looked at it again."""
    scene = Scene.own(a_spec())
    daemon = a_daemon(scene, tmp_path)
    daemon.boundary = on(Operation.CREATE_KEY, Fault.LOST, times=10_000)
    for _ in range(4):
        daemon.tick()
        scene.passes(timedelta(minutes=5))
    looks = len(daemon.outcomes)
    before = headline_of(daemon)
    daemon.restart()
    daemon.tick()
    assert len(daemon.outcomes) == looks, "it backs off"
    assert headline_of(daemon) == before
    assert "fine" not in before


def test_status_puts_people_first(tmp_path: Path) -> None:
    """What needs a person comes first, then failures, then what is due first; missing secrets are on it, too."""
    scene = scene_of()
    daemon = Daemon(scene.systems, tmp_path, (SECRET, "prod/missing"))
    scene.hold("incident 7")
    daemon.tick()
    missing, held = daemon.watch.status.secrets
    assert (missing.name, missing.arn, missing.last_outcome) == ("prod-missing", "", "failed")
    assert missing.error
    assert missing.needs_person
    assert (held.arn, held.last_outcome, held.reason) == (scene.arn, "held", "ON_HOLD")
    assert "rotator release" in held.next_step
    scene.release()
    scene.passes(HOUR)
    daemon.tick()
    done = daemon.watch.status.secrets[1]
    assert (done.last_outcome, done.generation, done.attention) == (OutcomeKind.ROTATED, 1, "")
    assert done.old_keys
    assert done.old_keys[0].until > scene.systems.now() + 23 * HOUR
    assert done.last_success_at == done.looked_at
    assert daemon.watch.status.taken_at <= datetime.now(UTC) + 100 * YEAR


def test_change_by_somebody_else_is_seen_at_the_next_tick(tmp_path: Path) -> None:
    """A hand edit is noticed at once though the secret is not due and not at its slot."""
    scene = scene_of(check_every=YEAR)
    daemon = a_daemon(scene, tmp_path, 'check_every = "365d"')
    lives(scene, daemon, 3 * DAY)
    looks = len(daemon.outcomes)
    daemon.tick()
    assert len(daemon.outcomes) == looks
    scene.edit(scene.seed("put there by hand"))
    daemon.tick()
    assert daemon.outcomes[-1][1].reason is Reason.DRIFTED
    lives(scene, daemon, DAY)
    assert len(daemon.outcomes) == looks + 1, "a person has to come first, and looking again changes nothing"


def test_new_configuration_is_taken_and_a_broken_one_is_not(tmp_path: Path) -> None:
    """A file that changed is in force at the next tick; a broken one leaves the old in force, and says so."""
    scene = scene_of()
    daemon = a_daemon(scene, tmp_path)
    daemon.tick()
    daemon.configure("[defaults")
    daemon.tick()
    assert daemon.watch.status.config_error
    assert "configuration" in daemon.watch.ready()
    assert daemon.outcomes[-1][1].kind is not OutcomeKind.FAILED
    daemon.names = (SECRET, "prod/missing")
    daemon.configure()
    daemon.tick()
    assert daemon.watch.status.config_error == ""
    assert len(daemon.watch.status.secrets) == 2
