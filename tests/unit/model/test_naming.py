"""Names that carry state: ours are recognised exactly, and nothing else is."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rotator.model.naming import KeyFamily, generation_of_version, time_of_version, version_id
from tests.builders import ARN, FAMILY, NATIVE_ID

MADE = datetime(2026, 11, 22, 9, 53, 28, tzinfo=UTC)
OURS = "g000012-20261122T095328Z-9f3c1a2b4d"


def test_version_id_is_spelled_so() -> None:
    """A version id names its generation, its time in UTC, and a nonce."""
    elsewhere = MADE.astimezone(timezone(timedelta(hours=5)))
    assert version_id(12, elsewhere, "9f3c1a2b4d") == OURS


@given(
    st.integers(1, 999_999_999),
    st.datetimes(datetime(2000, 1, 1), datetime(2999, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - Hypothesis adds the zone
    st.text("0123456789abcdef-", min_size=10, max_size=10),
)
def test_version_ids_can_be_read_back(generation: int, made: datetime, nonce: str) -> None:
    """Generation and time come back, and the length is one that Secrets Manager takes."""
    made_id = version_id(generation, made, nonce)
    assert generation_of_version(made_id) == generation
    assert time_of_version(made_id) == made.replace(microsecond=0)
    assert 32 <= len(made_id) <= 64


@pytest.mark.parametrize(
    "other",
    [
        NATIVE_ID,
        "",
        "g000012",
        f"{OURS}\n",
        f" {OURS}",
        f"{OURS}e",
        OURS[:-1],
        OURS.upper(),
        OURS.replace("000012", "00012"),
        OURS.replace("000012", "0000000012"),
        OURS.replace("000012", "00001२"),
        OURS.replace("9f3c1a2b4d", "9f3c1a2b4/"),
    ],
)
def test_other_ids_are_not_ours(other: str) -> None:
    """Whatever is not exactly a version id of ours has neither generation nor time."""
    assert generation_of_version(other) == 0
    assert time_of_version(other) is None


def test_generation_zero_is_not_ours() -> None:
    """A version id with generation 0 counts as somebody else's."""
    assert generation_of_version(OURS.replace("000012", "000000")) == 0


def test_a_date_that_is_none_is_no_time() -> None:
    """A version id with an impossible date has a generation, and no time."""
    impossible = OURS.replace("20261122", "20261322")
    assert (generation_of_version(impossible), time_of_version(impossible)) == (12, None)


@pytest.mark.parametrize(("generation", "nonce"), [(1, "short"), (1, "n" * 11), (1, "n" * 9 + "/"), (10**9, "n" * 10)])
def test_impossible_ids_are_not_made(generation: int, nonce: str) -> None:
    """What could not be read back is not made."""
    with pytest.raises(ValueError, match="not a version id"):
        version_id(generation, MADE, nonce)


def test_key_name_is_spelled_so() -> None:
    """A key is named for its owner, account, region, secret with suffix, and version."""
    assert FAMILY.key_name(OURS) == (f"rotator/111122223333/eu-central-1/prod/pinata/uploader-AbCdEf/{OURS}")
    assert FAMILY.generation(FAMILY.key_name(OURS)) == 12


@pytest.mark.parametrize(
    "other",
    [
        "",
        OURS,
        f"{FAMILY.prefix}backup",
        f"{FAMILY.prefix}{NATIVE_ID}",
        f"x{FAMILY.prefix}{OURS}",
        f"{FAMILY.prefix}{FAMILY.prefix}{OURS}",
        f"{FAMILY.prefix}{OURS}/copy",
        f"{FAMILY.prefix.upper()}{OURS}",
        f"{FAMILY.prefix.replace('rotator/', 'other/')}{OURS}",
        f"{FAMILY.prefix.replace('111122223333', '111122223334')}{OURS}",
        f"{FAMILY.prefix.replace('eu-central-1', 'us-east-1')}{OURS}",
        f"{FAMILY.prefix.replace('AbCdEf', 'GhIjKl')}{OURS}",
    ],
)
def test_other_names_are_not_ours(other: str) -> None:
    """A name that is not exactly ours is somebody else's: owner, account, region, secret, or all."""
    assert FAMILY.generation(other) == 0


@pytest.mark.parametrize(
    "other",
    [
        "prod/pinata/uploader",
        ARN.replace("secretsmanager", "s3"),
        ARN.replace("111122223333", "1111"),
        f"{ARN}\n",
        f"{ARN}:extra",
    ],
)
def test_family_needs_the_arn_of_a_secret(other: str) -> None:
    """Anything but a secret's ARN has no family of keys."""
    with pytest.raises(ValueError, match="not the ARN of a secret"):
        KeyFamily.of("rotator", other)


def test_families_of_other_partitions() -> None:
    """China and GovCloud have other ARNs, and the same names."""
    assert KeyFamily.of("rotator", ARN.replace("arn:aws:", "arn:aws-cn:")) == FAMILY
