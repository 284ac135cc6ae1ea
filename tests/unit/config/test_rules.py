"""What holds between settings."""

from pathlib import Path

import pytest

from rotator.model.secret import Admin, Resources
from tests.unit.config.texts import GOOD, PERMISSIONS, changed, loaded, problems, spec_of


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
    assert found.startswith("10: secrets[0].permissions: this is the secret of the managing key")


def test_legacy_api_has_no_resources(tmp_path: Path) -> None:
    """Scopes of the v3 API are refused together with the legacy one."""
    (found,) = problems(tmp_path, changed("[pinata]", '[pinata]\napi = "legacy"'))
    assert found.startswith("11: secrets[0].permissions: the legacy API knows no `resources`")


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
