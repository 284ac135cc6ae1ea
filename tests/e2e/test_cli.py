"""The command line as programs meet it: JSON lines, exit codes, stored values, the trail."""

import json
import re

from rotator.audit.directory.files import audit_files
from rotator.sandbox.pinata.faults import Respond, Side
from rotator.sandbox.pinata.records import Bearer
from rotator.sandbox.pinata.switches import Generation
from rotator.sandbox.running import SECRET, value_of
from tests.e2e.daemons import listener
from tests.e2e.stage import AUDIT, FAILED, PERMISSIONS, PERSON, USAGE, Stage

OUTCOME_KEYS = {"secret", "outcome", "reason", "version_id", "key_id", "revoked", "actions", "error", "run_id"}


def test_json_lines_have_their_keys(stage: Stage) -> None:
    """Programs rely on these names and values; `plan` changes nothing."""
    (hand_made,) = stage.live_keys()
    before = stage.world()
    plan = stage.row("plan")
    assert plan == {
        "secret": "uploader",
        "reason": "ADOPTED",
        "actions": ["Create", "Verify", "Promote"],
        "due_at": None,
        "later": plan["later"],
    }
    (later,) = plan["later"]
    assert (later["action"], later["key_id"]) == ("Revoke", hand_made)
    assert stage.world() == before
    assert list(stage.sandbox.audit_directory.iterdir()) == []

    run = stage.row("run")
    assert run.keys() >= OUTCOME_KEYS
    assert run["actions"][:5] == ["Create", "Verify", "Promote", "Revoke", "ProveDead"]
    assert (run["secret"], run["outcome"], run["reason"]) == ("uploader", "rotated", "ADOPTED")
    assert run["version_id"] == stage.labels()["AWSCURRENT"]
    assert run["key_id"] == stage.sandbox.current_key_id()
    assert (run["revoked"], run["error"]) == ([hand_made], None)

    rotate = stage.row("rotate", "uploader")
    assert rotate.keys() >= OUTCOME_KEYS
    assert (rotate["outcome"], rotate["reason"]) == ("rotated", "FORCED")
    assert rotate["revoked"] == [run["key_id"]]

    idle = stage.row("run", "uploader")
    assert (idle["outcome"], idle["reason"], idle["actions"]) == ("up_to_date", "UP_TO_DATE", [])

    status = stage.row("status")
    assert status.keys() >= {"secret", "generation", "age_seconds", "due_at", "needs_person"}
    assert (status["generation"], status["needs_person"]) == (2, False)
    assert 0 <= status["age_seconds"] < 60


def test_a_plan_names_what_dies_later(stage: Stage) -> None:
    """The old key's end is told before it is begun, in words and in JSON; `run --dry-run` is the same."""
    stage.edit('grace = "0s"', 'grace = "1h"')
    (hand_made,) = stage.live_keys()
    before = stage.world()
    told = stage.rotator("plan", "prod/*").stdout
    assert f"later: Revoke key {hand_made} after its grace, in about 59 min, and prove it dead" in told
    assert told.endswith("1 secret: 1 to rotate, 1 later\n")
    assert stage.summary("run", "--dry-run", SECRET) == {
        "secrets": 1,
        "to_rotate": 1,
        "to_revoke_now": 0,
        "to_revoke_later": 1,
        "need_person": 0,
        "failed": 0,
        "audit_error": None,
    }
    assert stage.world() == before
    stage.rotator("run")
    (waiting,) = stage.row("plan")["later"]
    assert waiting["key_id"] == hand_made
    assert hand_made in stage.rotator("plan").stdout


def test_a_plan_says_when_nothing_could_be_recorded(stage: Stage) -> None:
    """`run` would stop at the trail, so the plan does not promise what will not happen."""
    stage.sandbox.audit_directory.rmdir()
    done = stage.rotator("plan")
    assert done.returncode == AUDIT
    assert "`run` would do nothing: " in done.stdout
    stage.refused(code=AUDIT)


def test_a_name_may_be_a_pattern_or_a_secret_id(stage: Stage) -> None:
    """Whatever a person has at hand means the secret; what fits none is refused as before."""
    stage.add_secret("other", "prod/other")
    stage.sandbox.create_secret("prod/other")
    for name in ("up*", SECRET, stage.arn(), "*/pinata/*"):
        assert [row["secret"] for row in stage.rows("plan", name)] == ["uploader"]
    assert {row["secret"] for row in stage.rows("plan", "*")} == {"uploader", "other"}
    stage.refused("no secret is configured as", code=USAGE, command=("rotate", "x*"))


def test_a_rotation_inside_grace_is_refused(stage: Stage) -> None:
    """A person who asked has to ask again; for cron the same is as it should be."""
    stage.edit('grace = "0s"', 'grace = "1h"')
    first = stage.row("run")
    assert (first["outcome"], first["revoked"]) == ("rotated", [])
    writes, world = stage.writes(), stage.world()
    refused = stage.row("rotate", "uploader", code=PERSON)
    assert (refused["outcome"], refused["reason"]) == ("waiting", "WAITING_GRACE")
    assert (refused["key_id"], refused["actions"]) == (first["key_id"], [])
    assert stage.row("run")["outcome"] == "up_to_date"
    assert (stage.writes(), stage.world()) == (writes, world)
    table = stage.rotator("status").stdout
    assert "in 59 min" in table


def test_a_held_secret_is_left_alone_until_released(stage: Stage) -> None:
    """The tag stops `run` and `rotate` alike."""
    hold = {"SecretId": SECRET, "Tags": [{"Key": "rotator:hold", "Value": "incident"}]}
    stage.sandbox.call("TagResource", hold)
    world = stage.world()
    for command in (("run",), ("rotate", "uploader")):
        row = stage.row(*command, code=PERSON)
        assert (row["outcome"], row["reason"], row["actions"]) == ("held", "ON_HOLD", [])
    assert stage.row("plan", code=PERSON)["reason"] == "ON_HOLD"
    assert stage.row("status", code=PERSON)["needs_person"] is True
    assert stage.world() == world
    stage.sandbox.call("UntagResource", {"SecretId": SECRET, "TagKeys": ["rotator:hold"]})
    assert stage.row("run")["outcome"] == "rotated"


def test_a_drifted_secret_waits_for_a_person(stage: Stage) -> None:
    """Somebody put another key in: `run` asks, `rotate` answers, and only our own keys are revoked."""
    stage.row("run")
    stage.put(value_of(stage.sandbox.seed_key("by hand, again")))
    world = stage.world()
    held = stage.row("run", code=PERSON)
    assert (held["outcome"], held["reason"]) == ("held", "DRIFTED")
    assert stage.world() == world
    lifted = stage.row("rotate", "uploader")
    assert lifted["outcome"] == "rotated"
    assert stage.live_keys() == [lifted["key_id"]]


def test_a_rolled_back_secret_waits_for_a_person(stage: Stage) -> None:
    """Somebody moved AWSCURRENT back within grace: `run` asks, `rotate` moves on."""
    stage.own()
    stage.edit('grace = "0s"', 'grace = "1h"')
    old = stage.labels()["AWSCURRENT"]
    new = stage.row("run")["version_id"]
    stage.sandbox.call(
        "UpdateSecretVersionStage",
        {"SecretId": SECRET, "VersionStage": "AWSCURRENT", "MoveToVersionId": old, "RemoveFromVersionId": new},
    )
    held = stage.row("run", code=PERSON)
    assert (held["outcome"], held["reason"]) == ("held", "ROLLED_BACK")
    assert held["actions"] == ["Unlabel"], "what says when the newer version was promoted is false by now"
    world = stage.world()
    assert stage.row("run", code=PERSON)["actions"] == []
    assert stage.world() == world
    lifted = stage.row("rotate", "uploader")
    assert lifted["outcome"] == "rotated"
    assert lifted["version_id"] > new
    assert stage.sandbox.current_key_id() in stage.live_keys()


def test_a_key_revoked_at_the_provider_is_replaced(stage: Stage) -> None:
    """Consumers have a dead key: neither age nor grace matters."""
    stage.edit('grace = "0s"', 'grace = "1h"')
    first = stage.row("run")
    with stage.site.lock:
        stage.site.world.revoke(Bearer(stage.sandbox.admin_jwt), Generation.V3, first["key_id"])
    row = stage.row("run")
    assert (row["outcome"], row["reason"]) == ("rotated", "KEY_REVOKED")
    assert row["key_id"] in stage.live_keys()


def test_of_many_secrets_a_broken_one_stops_no_other(stage: Stage) -> None:
    """Twenty secrets, one that is no credential: nineteen rotate, and the exit code tells of the one."""
    with stage.sandbox.config_path.open("a") as file:
        for number in range(1, 20):
            secret_id = f"prod/pinata/{number:02}"
            file.write(f'[[secrets]]\nname = "s{number:02}"\nsecret_id = "{secret_id}"\n')
            file.write(f"{PERMISSIONS}\n")
            key = value_of(stage.sandbox.seed_key(f"made by hand {number}"))
            stage.sandbox.create_secret(secret_id, "password1" if number == 7 else key)
    rows = {row["secret"]: row for row in stage.rows("run", code=PERSON)}
    assert len(rows) == 20
    assert rows.pop("s07")["outcome"] == "failed"
    assert {row["outcome"] for row in rows.values()} == {"rotated"}
    orphan_of_s07 = 1
    assert len(stage.live_keys()) == 19 + orphan_of_s07
    assert {row["key_id"] for row in rows.values()} < set(stage.live_keys())
    assert stage.text("prod/pinata/07") == "password1"
    assert stage.rotator("audit", "verify").returncode == 0


def test_only_what_changed_is_told(stage: Stage) -> None:
    """An idle run is one line, a cause that many share is told once, and programs have the counts last."""
    stage.row("run")
    assert stage.rotator("run").stdout == "1 secret: 1 up to date\n"
    for number in range(3):
        stage.add_secret(f"lost-{number}", f"prod/lost-{number}")
    done = stage.rotator("run")
    assert done.returncode == USAGE
    assert done.stdout.count("found no such secret") == 1
    assert "2 more secrets failed, for the same cause as lost-0: lost-1, lost-2\n" in done.stdout
    assert done.stdout.endswith("\n4 secrets: 1 up to date, 3 failed\n")
    assert stage.summary("run", code=USAGE) == {
        "secrets": 4,
        "rotated": 0,
        "up_to_date": 1,
        "waiting": 0,
        "held": 0,
        "failed": 3,
        "keys_revoked": 0,
        "not_looked_at": 0,
    }


def test_a_large_fleet_is_told_which_option_spares_calls(stage: Stage) -> None:
    """From a hundred secrets on, and only where the schedule does not say how often it starts."""
    with stage.sandbox.config_path.open("a") as file:
        for number in range(99):
            file.write(f'[[secrets]]\nname = "s{number}"\nsecret_id = "prod/s{number}"\n{PERMISSIONS}\n')
    told = stage.rotator("run").stdout
    assert "98 more secrets failed, for the same cause as s0: s1, s2" in told
    assert "and 88 more\n" in told
    assert "`rotator run --every 15m`" in told
    assert "`rotator run --every 15m`" not in stage.rotator("run", "--every", "5m").stdout


def test_a_rotation_may_be_waited_for(stage: Stage) -> None:
    """`rotate --wait` ends when the old key is dead, also if it had to wait for a grace before it could begin."""
    stage.edit('grace = "0s"', 'grace = "1h"')
    (hand_made,) = stage.live_keys()
    done = stage.rotator("rotate", "uploader", "--wait")
    assert done.returncode == 0, done.stdout
    assert "uploader: the old key dies in 59 min; waiting" in done.stdout
    assert f"revoked {hand_made}, proved dead" in done.stdout
    assert stage.live_keys() == [stage.sandbox.current_key_id()]
    stage.row("rotate", "uploader")
    assert stage.rotator("rotate", "uploader", "--wait").returncode == 0
    assert stage.rotator("status").stdout.count("1 fine") == 1
    assert stage.labels()["AWSCURRENT"].startswith("g000003")
    assert stage.live_keys() == [stage.sandbox.current_key_id()]
    assert 3 * 3500 < stage.waited_s() < 3 * 3700


def test_a_monitor_hears_of_each_run_that_did_not_fail(stage: Stage) -> None:
    """`[run] ping_url`: silence is what it listens for; its address is nowhere."""
    with listener() as (url, heard):
        stage.edit("[audit]", f'[run]\nping_url = "{url}"\n\n[audit]')
        stage.row("run")
        assert heard == ["/check/a-token-of-the-pinger"]
        stage.inject(Respond(Side.BEFORE, 503), None, times=None)
        stage.rotator("run")
        assert len(heard) == 1
        stage.heal()
    stage.row("run")
    done = stage.rotator("run")
    assert done.returncode == 0
    assert "`[run] ping_url` could not be requested" in done.stderr
    assert "a-token-of-the-pinger" not in done.stdout + done.stderr


def test_each_failure_has_its_code(stage: Stage) -> None:
    """`run`, `plan`, `status` and `history` name the class of the error, which `explain` takes."""
    stage.row("run")
    stage.inject(Respond(Side.BEFORE, 503), None, times=None)
    for command in (("run",), ("plan",), ("status",), ("history", "uploader")):
        told = stage.said(stage.rotator(*command))
        (code,) = set(re.findall(r"\b[A-Z]\w+Error(?=: )", told))
        assert stage.rotator("explain", code).stdout.startswith(f"{code} (error, exit code 1)")
        if command[0] != "history":
            assert stage.row(*command, code=FAILED)["code"] == code


def test_between_its_slots_a_young_secret_is_not_looked_at(stage: Stage) -> None:
    """`run --every` looks closer only at what is due; here the slot comes once in ten years."""
    stage.edit('grace = "0s"', 'grace = "1h"\ncheck_every = "3650d"')
    stage.row("run")
    before = stage.calls()
    done = stage.rotator("run", "--every", "5m")
    assert (done.returncode, done.stdout) == (0, "1 secret: 1 needed no closer look\n")
    assert stage.calls() - before == 2, "the managing key, and the labels"


def test_a_large_fleet_is_known_by_its_labels(stage: Stage) -> None:
    """Of more than twenty, only what labels do not explain is asked about; the first line counts the others apart."""
    stage.edit('grace = "0s"', 'grace = "1h"')
    stage.row("run")
    with stage.sandbox.config_path.open("a") as file:
        for number in range(21):
            file.write(f'[[secrets]]\nname = "s{number}"\nsecret_id = "prod/s{number}"\n{PERMISSIONS}\n')
    for number in range(21):
        stage.sandbox.create_secret(f"prod/s{number}", stage.text())
    for number in range(20):
        value = stage.text(f"prod/s{number}")
        stage.put(value, f"prod/s{number}", token=stage.labels()["AWSCURRENT"])
    before = len(stage.site.log)
    rows = {row["secret"]: row for row in stage.rows("status")}
    asked = len(stage.site.log) - before
    assert len(rows) == 22
    assert {name for name, row in rows.items() if row["looked_at"]} == {"s20"}
    assert (rows["s0"]["orphans"], rows["s0"]["old_keys"]) == (None, None)
    assert asked <= 5
    assert "21 fine by their labels alone" in stage.rotator("status").stdout
    assert stage.row("status", "s0")["looked_at"]
    assert all(row["looked_at"] for row in stage.rows("status", "--deep"))


def test_a_trail_that_hears_nothing_is_told(stage: Stage) -> None:
    """A cron job that stopped is seen by whoever looks; one that never ran is no silence."""
    assert stage.rotator("status").stderr == ""
    stage.row("run")
    stage.passes(25.9 * 3600)
    assert stage.rotator("status").returncode == 0
    stage.passes(0.2 * 3600)
    done = stage.rotator("status")
    assert done.returncode == PERSON
    assert "the audit trail has heard nothing for 26 h, and runs that find nothing to do say so once a" in done.stderr
    assert stage.row("run")["outcome"] == "up_to_date"
    assert stage.rotator("status").returncode == 0


def test_runs_that_find_nothing_to_do_leave_one_line_a_day(stage: Stage) -> None:
    """The trail is not touched as long as it says of the secret that all is well, and `status` goes by that line."""
    stage.row("run")
    trail = stage.audit_lines()
    for _ in range(3):
        row = stage.row("run")
        assert (row["outcome"], row["run_id"]) == ("up_to_date", "")
    assert stage.audit_lines() == trail
    stage.passes(25 * 3600)
    for _ in range(3):
        stage.row("run")
    (line,) = stage.audit_lines()[len(trail) :]
    event = json.loads(line)
    assert (event["unmapped"]["kind"], event["unmapped"]["outcome"]) == ("ended", "up_to_date")
    row = stage.row("status")
    assert (row["last_outcome"], row["last_run_at"][:10]) == ("up_to_date", row["looked_at"][:10])
    assert [record["sequence"] for record in stage.rows("audit", "show", "--secret", "uploader")][-1] == 1
    assert stage.rotator("audit", "verify").returncode == 0


# The stored value


def test_other_fields_of_the_value_are_carried_over(stage: Stage) -> None:
    """Whatever else a team keeps beside the key stays, of whatever type."""
    value = json.loads(stage.text())
    extra = {"gateway": "example.mypinata.cloud", "sizes": [1, 2.5, None], "naïve": {"a": True}}
    stage.put(json.dumps(value | extra))
    row = stage.row("run")
    new = json.loads(stage.text())
    assert new["pinata_api_key"] == row["key_id"]
    assert {name: new[name] for name in extra} == extra
    assert new.keys() == value.keys() | extra.keys()


def test_a_bare_token_stays_a_bare_token(stage: Stage) -> None:
    """`format = "jwt"`."""
    stage.edit(PERMISSIONS, f'{PERMISSIONS}\nformat = "jwt"')
    stage.put(stage.key(stage.sandbox.current_key_id()).jwt)
    row = stage.row("run")
    assert row["outcome"] == "rotated"
    assert stage.text() == stage.key(row["key_id"]).jwt
    assert stage.live_keys() == [row["key_id"]]


def test_custom_field_names_are_kept(stage: Stage) -> None:
    """`fields` names what consumers read; nothing else is written."""
    fields = 'fields = { jwt = "TOKEN", key = "ID" }'
    stage.edit(PERMISSIONS, f"{PERMISSIONS}\n{fields}")
    old = stage.key(stage.sandbox.current_key_id())
    stage.put(json.dumps({"TOKEN": old.jwt, "ID": old.key}))
    row = stage.row("run")
    new = stage.key(row["key_id"])
    assert json.loads(stage.text()) == {"TOKEN": new.jwt, "ID": new.key}
    assert stage.live_keys() == [new.key]


# The audit trail


def test_the_trail_tells_the_life_of_a_key(stage: Stage) -> None:
    """`history` by secret, `audit show` by key, run and time; `audit verify` counts the same events."""
    first, second = stage.row("run"), stage.row("rotate", "uploader")
    history = stage.rows("history", "uploader")
    assert {row["run_id"] for row in history} == {first["run_id"], second["run_id"]}
    (verdict,) = stage.rows("audit", "verify")
    assert (verdict["verdict"], verdict["runs"], verdict["events"]) == ("intact", 2, len(history))

    of_key = stage.rows("audit", "show", "--key", first["key_id"])
    told = [row["operation"] for row in of_key if row["kind"] == "done" and row["operation"]]
    assert told[0] == "CreateApiKey"
    assert told[-2:] == ["RevokeApiKey", "ProveKeyDead"]
    of_run = stage.rows("audit", "show", "--run", second["run_id"])
    assert of_run == [row for row in history if row["run_id"] == second["run_id"]]
    assert stage.rows("audit", "show", "--secret", "uploader", "--since", "1h") == history
    assert stage.rows("audit", "show", "--until", "1h") == []
    assert stage.rows("audit", "show", "--secret", "other") == []
    life = stage.rotator("history", SECRET).stdout.splitlines()
    assert life[0] == "uploader: 3 keys, 1 not proved dead"
    assert "made by hand; replaced " in life[1]
    assert life[2].split()[:2] == ["1", first["key_id"]]
    assert "by cli (ADOPTED); replaced " in life[2]
    assert "dead " in life[2]
    assert "its token is refused" in life[2]
    assert life[3].endswith("by cli (FORCED); current")
    assert first["run_id"][:8] in stage.rotator("history", "uploader", "--all").stdout


def test_a_trail_that_was_changed_is_broken(stage: Stage) -> None:
    """One word in one event: exit code 3, and where."""
    stage.row("run")
    (file,) = audit_files(stage.sandbox.audit_directory)
    lines = file.read_text().splitlines(keepends=True)
    lines[3] = lines[3].replace("uploader", "uploadee")
    file.write_text("".join(lines))
    done = stage.rotator("audit", "verify")
    assert done.returncode == PERSON
    assert f"{file.name}:4" in done.stdout
    assert "BROKEN" in done.stdout


def test_a_trail_that_was_cut_is_broken(stage: Stage) -> None:
    """The last event taken away: the run never ended, though its file says it did."""
    stage.row("run")
    (file,) = audit_files(stage.sandbox.audit_directory)
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:-1]))
    assert stage.rotator("audit", "verify").returncode != 0
