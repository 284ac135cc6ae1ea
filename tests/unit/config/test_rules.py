"""What holds between settings."""

from pathlib import Path

import pytest

from rotator.model.secret import Admin, Resources
from tests.unit.config.texts import GOOD, PERMISSIONS, changed, loaded, problems, spec_of, with_default


@pytest.mark.parametrize(
    ("permissions", "wanted"),
    [("{ admin = true }", Admin()), ('{ resources = ["org:write"] }', Resources(frozenset({"org:write"})))],
    ids=["admin", "org_write"],
)
def test_managing_key_may_manage_keys(tmp_path: Path, permissions: str, wanted: Admin | Resources) -> None:
    """The entry of the managing secret may ask for the rights that no other entry may ask for."""
    text = changed('"prod/uploader"', '"pinata/admin"').replace(PERMISSIONS, f"permissions = {permissions}")
    assert loaded(tmp_path, text).secrets[0].permissions == wanted


def test_limits_may_be_reached(tmp_path: Path) -> None:
    """A grace as long as the age, and a verification as long as the run, are allowed."""
    spec = spec_of(tmp_path, 'grace = "30d"\nverify_timeout = "2m"')
    assert (spec.grace, spec.verify_timeout) == (spec.max_age, spec.timeout)


def test_managing_key_cannot_lose_its_rights(tmp_path: Path) -> None:
    """The managing secret with lesser permissions would lock the rotator out."""
    (found,) = problems(tmp_path, changed('"prod/uploader"', '"pinata/admin"'))
    assert found == (
        "10: secrets[0].permissions: this is the secret of the managing key, which could not manage keys with these"
        ' permissions; use { admin = true }, or { resources = ["org:write"] } with the v3 API'
    )


def test_legacy_api_has_no_resources(tmp_path: Path) -> None:
    """Scopes of the v3 API are refused together with the legacy one."""
    assert problems(tmp_path, changed("[pinata]", '[pinata]\napi = "legacy"')) == [
        '11: secrets[0].permissions: the legacy API knows no `resources`; use `endpoints`, or api = "v3"'
    ]


def test_two_entries_share_neither_name_nor_secret(tmp_path: Path) -> None:
    """The second entry with a name or a secret_id is reported, and says which has it."""
    entry = GOOD.partition("[[secrets]]")[2]
    assert problems(tmp_path, f"{GOOD}[[secrets]]{entry}") == [
        '12: secrets[1].name: "uploader" is taken by entry 1 already',
        '13: secrets[1].secret_id: "prod/uploader" is taken by entry 1 already',
    ]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('grace = "31d"', "7: defaults.grace: `grace` (31d) must not be longer than `max_age` (30d)"),
        (
            'probe = "/a"\nnegative_probe = "/a"',
            "8: defaults.negative_probe: is the same path as `probe`, which cannot be both allowed and refused",
        ),
    ],
    ids=["pair", "probes"],
)
def test_a_mistake_in_the_defaults_is_reported_once(tmp_path: Path, line: str, problem: str) -> None:
    """The entries inherit it, and do not repeat it."""
    assert problems(tmp_path, changed("[defaults]", f"[defaults]\n{line}")) == [problem]


def test_consumers_get_no_key_that_mints_keys(tmp_path: Path) -> None:
    """The refusal says why, and which entry may ask."""
    (found,) = problems(tmp_path, changed(PERMISSIONS, "permissions = { admin = true }"))
    assert found == (
        "10: secrets[0].permissions: admin, and org:write too, can mint keys, and such a key must not be handed to"
        " consumers; only the entry whose `secret_id` is spelled like `admin_secret` may ask for it"
    )


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("", "1: pinata.admin_secret: {}; found neither of them"),
        ('admin_secret = "a"\nadmin_jwt_env = "A"', "2: pinata.admin_secret: {}; found both of them"),
    ],
    ids=["neither", "both"],
)
def test_one_managing_key(tmp_path: Path, line: str, problem: str) -> None:
    """It comes from a secret or from a variable."""
    sources = "the managing key comes from `admin_secret`, a secret, or from `admin_jwt_env`, a variable"
    assert problems(tmp_path, changed('admin_secret = "pinata/admin"', line)) == [problem.format(sources)]


@pytest.mark.parametrize("line", ['admin_secret = "a b"', 'admin_jwt_env = "a b"'])
def test_an_unknown_holder_is_not_judged(tmp_path: Path, line: str) -> None:
    """Where the managing key is named wrongly, no entry is blamed for asking for its rights."""
    text = changed('admin_secret = "pinata/admin"', line).replace(PERMISSIONS, "permissions = { admin = true }")
    (found,) = problems(tmp_path, text)
    assert found.startswith("2: pinata.admin_")


@pytest.mark.parametrize(
    ("default", "line"),
    [('max_age = "x"', 'grace = "31d"'), ("", 'max_age = "x"\ngrace = "31d"'), ('grace = "x"', 'max_age = "1h"')],
)
def test_a_pair_is_not_judged_while_one_of_it_is_wrong(tmp_path: Path, default: str, line: str) -> None:
    """What stands in for a wrong value is nobody's choice, wherever it was set."""
    (found,) = problems(tmp_path, f"{with_default(default)}{line}\n")
    assert "expected a duration" in found


@pytest.mark.parametrize(
    ("default", "line"),
    [
        ("", 'probe = "/a"\nnegative_probe = "/a"'),
        ('negative_probe = "/a"', 'probe = "/a"'),
        ('probe = "/a"', 'negative_probe = "/a"'),
    ],
    ids=["both", "probe", "negative_probe"],
)
def test_one_path_is_not_both_probes(tmp_path: Path, default: str, line: str) -> None:
    """An entry is told when it makes them equal, whichever of them it sets."""
    (found,) = problems(tmp_path, f"{with_default(default)}{line}\n")
    assert found.endswith(
        "secrets[0].negative_probe: is the same path as `probe`, which cannot be both allowed and refused"
    )
