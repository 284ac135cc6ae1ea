"""The daemon as a process against both simulated systems: pauses, hangs, defects, signals, probes, silence."""

import signal
import time

import pytest

from rotator.sandbox.pinata.faults import Operation, Side, Slow
from tests.e2e.daemons import HANGS_S, PATIENT, Daemon, Silence, listener
from tests.e2e.stage import USAGE, Stage

pytestmark = pytest.mark.slow  # it starts many processes

SHORT = 'verify_timeout = "2s"\ntimeout = "4s"\n'
UNTIL_TOLD_TWICE = f"{PATIENT}\nimport rotator.daemon.stop; rotator.daemon.stop.STOP_WITHIN_S = {HANGS_S}"


def rotated(daemon: Daemon, times: int = 1) -> None:
    """Wait until it has rotated so often."""
    daemon.until(lambda: len(daemon.outcomes("rotated")) >= times, f"it did not rotate {times} times")


def test_life_of_a_daemon(stage: Stage) -> None:
    """It rotates at once, serves probes and metrics, takes a change of its file, and ends well when told to."""
    with listener() as (url, heard), Daemon(stage) as daemon:
        rotated(daemon)
        daemon.until(daemon.ready)
        assert daemon.get("/livez")[0] == 200
        assert daemon.get("/")[0] == 200
        assert "uploader" in daemon.get("/")[1]
        daemon.until(lambda: daemon.metric('rotator_old_keys_alive{secret="uploader"}') == 0)
        assert daemon.metric('rotator_calls_total{system="pinata"}')
        assert daemon.metric("rotator_time_to_death_seconds_count") == 1
        assert daemon.metric("rotator_audit_healthy") == 1
        assert heard == []

        stage.edit("[audit]", f'[daemon]\nping_url = "{url}"\n\n[audit]')
        daemon.until(lambda: heard, "it did not take the new file and ping")
        assert heard[0] == "/check/a-token-of-the-pinger"

        stage.edit("[audit]", "[audti]")
        daemon.until(lambda: daemon.metric("rotator_config_in_force") == 0)
        code, why = daemon.get("/readyz")
        assert (code, "configuration" in why) == (503, True)
        stage.edit("[audti]", "[audit]")
        daemon.until(daemon.ready)

        stage.own()
        rotated(daemon, 2)
        metrics = daemon.get("/metrics")[1] + daemon.get("/")[1]
        daemon.send(signal.SIGTERM)
        daemon.stopped()
    for key in stage.site.world.keys.values():
        for text in (daemon.output, metrics):
            assert not any(secret[:24] in text for secret in (key.jwt, key.jwt[60:], key.secret))
    assert "a-token-of-the-pinger" not in daemon.output
    assert stage.rotator("audit", "verify").returncode == 0
    assert stage.live_keys() == [stage.sandbox.current_key_id()]


def test_paused_across_ticks(stage: Stage) -> None:
    """Paused while several ticks pass and a key comes due, it goes on as if nothing had been."""
    with Daemon(stage) as daemon:
        rotated(daemon)
        daemon.send(signal.SIGSTOP)
        stage.own()
        time.sleep(3.5)  # the pause itself is what is tested: three ticks, and longer than the watchdog's looks
        daemon.send(signal.SIGCONT)
        rotated(daemon, 2)
        assert daemon.get("/livez")[0] == 200
        daemon.send(signal.SIGTERM)
        daemon.stopped()


def test_pinata_that_never_answers(stage: Stage) -> None:
    """Runs end by their own deadline, the loop goes on, and all heals with Pinata."""
    stage.edit("[defaults]\n", f"[defaults]\n{SHORT}")
    stage.inject(Slow(Side.BEFORE, HANGS_S), Operation.LIST, times=None)
    with Daemon(stage) as daemon:
        daemon.until(lambda: daemon.outcomes("failed"), "its run did not end")
        assert daemon.get("/livez")[0] == 200, "a restart would not help"
        failures = 'rotator_failures_in_a_row{secret="uploader"}'
        daemon.until(lambda: daemon.metric(failures))
        stage.edit(SHORT, "")
        stage.heal()
        rotated(daemon)
        daemon.send(signal.SIGINT)
        daemon.stopped()


def test_loop_that_hangs_is_ended(stage: Stage) -> None:
    """A tick that never ends is ended by the watchdog."""
    stage.edit("[defaults]", '[defaults]\nverify_timeout = "1s"\ntimeout = "1s"\n')
    hang = (
        "import rotator.wiring.runs as w\n"
        "w.STARTUP_S = 0.2\n"
        "import threading, rotator.daemon.tick as t\n"
        "t.Watch.tick = lambda self: threading.Event().wait()"
    )
    with Daemon(stage, patched=hang) as daemon:
        daemon.stopped(70)
        assert daemon.events("the loop has stopped; ending")


@pytest.mark.parametrize(
    ("patched", "where"),
    [
        pytest.param("import rotator.daemon.tick as t\nt.Watch.tick = lambda self: 1 / 0", "tick", id="tick"),
        pytest.param(
            "import apscheduler.triggers.interval as i, itertools\n"
            "n = itertools.count()\n"
            "real = i.IntervalTrigger.get_next_fire_time\n"
            "i.IntervalTrigger.get_next_fire_time = lambda *a: real(*a) if next(n) < 1 else 1 / 0",
            "scheduler",
            id="trigger",
        ),
        pytest.param(
            "import rotator.daemon.loop as l\nl.Loop._respond = lambda self, *event: 1 / 0", "listener", id="listener"
        ),
        pytest.param(
            "import rotator.daemon.loop as l\nl.Loop._signalled = lambda self, n: 1 / 0", "signals", id="signals"
        ),
    ],
)
def test_defect_ends_the_process_and_says_so(stage: Stage, patched: str, where: str) -> None:
    """Wherever an exception comes from, the process ends with 70 and a line that says where."""
    with Daemon(stage, patched=patched) as daemon:
        if where == "signals":
            assert daemon.url
            daemon.send(signal.SIGHUP)
        daemon.stopped(70)
        (line,) = daemon.events("the daemon ends because of a defect")
        assert (line["where"], line["kind"]) == (where, "ZeroDivisionError")
        assert line["at"]


def test_audit_trail_that_cannot_be_written(stage: Stage) -> None:
    """Not ready, Pinata is not called; once the directory is back, work begins without a restart."""
    folder = stage.sandbox.audit_directory
    folder.rename(folder.with_name("elsewhere"))
    before = len(stage.site.log)
    with Daemon(stage) as daemon:
        daemon.until(lambda: len(daemon.events("tick failed")) >= 2)
        code, why = daemon.get("/readyz")
        assert (code, "audit" in why) == (503, True)
        assert daemon.metric("rotator_audit_healthy") == 0
        assert daemon.get("/livez")[0] == 200
        assert len(stage.site.log) == before
        folder.with_name("elsewhere").rename(folder)
        rotated(daemon)
        daemon.send(signal.SIGTERM)
        daemon.stopped()


def test_silence_when_every_tick_fails(stage: Stage) -> None:
    """With AWS out of reach the dead-man's switch hears nothing, and the metrics say that ticks fail."""
    with listener() as (url, heard):
        stage.edit("[audit]", f'[daemon]\nping_url = "{url}"\n\n[audit]')
        stage.edit(stage.sandbox.secrets_manager.endpoint_url, "http://127.0.0.1:9")
        with Daemon(stage) as daemon:
            daemon.until(lambda: daemon.events("tick failed"))
            daemon.until(lambda: daemon.metric("rotator_tick_healthy") == 0)
            assert daemon.get("/readyz")[0] == 503
            assert daemon.metric('rotator_last_success_timestamp_seconds{secret="uploader"}') is None, "none is known"
            daemon.send(signal.SIGTERM)
            daemon.stopped()
        assert heard == []


def test_reload_on_request(stage: Stage) -> None:
    """SIGHUP brings a tick at once, with the file as it is now."""
    with Daemon(stage, every="30m") as daemon:
        rotated(daemon)
        stage.edit("[defaults]", '[defaults]\nmax_age = "20d"')
        daemon.send(signal.SIGHUP)
        daemon.until(lambda: daemon.events("configuration taken"))
        twenty_days_s = 20 * 86_400
        daemon.until(lambda: daemon.metric('rotator_max_age_seconds{secret="uploader"}') == twenty_days_s)
        daemon.send(signal.SIGTERM)
        daemon.stopped()


def test_second_signal_ends_at_once(stage: Stage) -> None:
    """The first one waits for what is at work, here a Pinata that hangs; the second does not."""
    silence = stage.site.before_reply = Silence(Operation.LIST)
    try:
        with Daemon(stage, patched=UNTIL_TOLD_TWICE) as daemon:
            daemon.until(silence.fell.is_set)
            daemon.send(signal.SIGTERM)
            daemon.until(lambda: daemon.events("told to stop"))
            daemon.send(signal.SIGTERM)
            daemon.stopped(128 + signal.SIGTERM)
    finally:
        silence.ends.set()


@pytest.mark.parametrize(
    ("env", "more", "phrase"),
    [
        pytest.param({"SSLKEYLOGFILE": "/tmp/keys"}, (), "SSLKEYLOGFILE", id="TLS keys to a file"),  # noqa: S108 - never opened
        pytest.param({"PYTHONBREAKPOINT": "pdb.set_trace"}, (), "PYTHONBREAKPOINT", id="debugger"),
        pytest.param({}, ("--listen", "nowhere"), "--listen", id="no address"),
        pytest.param({}, ("--listen", "0.0.0.0:0"), "others can reach", id="open to all"),
        pytest.param({}, ("--every", "0s"), "--every", id="no time between ticks"),
        pytest.param({}, ("--every", "31m"), "to 30m", id="too much time between ticks"),
    ],
)
def test_refused_at_start(stage: Stage, env: dict[str, str], more: tuple[str, ...], phrase: str) -> None:
    """What would leak, or cannot be meant, is refused before anything is called."""
    before = stage.calls()
    with Daemon(stage, env=env, more=more) as daemon:
        daemon.stopped(USAGE)
    assert phrase in daemon.output
    assert stage.calls() == before
