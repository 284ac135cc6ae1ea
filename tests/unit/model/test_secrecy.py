"""What looks like secret material, and what does not."""

import pytest

from rotator.model.secrecy import looks_secret, withheld
from tests.yardstick import cpu_s

ACCESS_KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"


@pytest.mark.parametrize(
    "text",
    [
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJhIjoxfQ.c2ln",
        "eyJhbGciOiJIUzI1",
        "0123456789abcdef" * 4,
        "0123456789ABCDEF" * 4,
        ACCESS_KEY,
        "je7MtGbClwBF/2Zp9Utk/h3yCo8nvbEXAMPLEKEY",
        f"IQoJb3JpZ2luX2VjE{'A1/+' * 40}==",
        "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA==",
    ],
)
@pytest.mark.parametrize("around", ["%s", 'no secret is configured as "%s"', "KEY=%s;", "cannot open %s."])
def test_secrets_are_withheld(text: str, around: str) -> None:
    """Tokens, key secrets, AWS credentials and private keys are seen wherever they stand, and no part is left."""
    assert looks_secret(around % text)
    shown = withheld(around % text)
    assert shown.startswith(around.partition("%s")[0] + "<withheld>")
    assert text[:10] not in shown


@pytest.mark.parametrize(
    "text",
    [
        "g000012-20261122T095328Z-9f3c1a2b4d",
        "rotator/111122223333/eu-central-1/prod/pinata/uploader-AbCdEf/g000012-20261122T095328Z-9f3c1a2b4d",
        "arn:aws:secretsmanager:eu-central-1:111122223333:secret:prod/pinata/UploaderServiceV2/keyRotation1-AbCdEf",
        "729febf1aa730adc61e1",
        "5790573dc85b4c2287f6f9847b128daf",
        "da39a3ee5e6b4b0d3255bfef95601890afd80709",
        "prod/pinata/uploaderservice/keyrotation1",
        "AKIAIOSFODNN7EXAMPLE",
        "1" * 100,
        "a" * 100,
        "x" * 40,
    ],
)
def test_names_are_not(text: str) -> None:
    """Names, ARNs, key ids, run ids and commits are shown."""
    assert withheld(text) == text


@pytest.mark.parametrize("piece", ["a", "eyJ", "eyJ.", "0f", "aB1/", "-----BEGIN ", "FwoG"])
def test_any_text_is_judged_in_little_time(piece: str) -> None:
    """A large text takes a moment, whatever it holds."""
    text = piece * (65_536 // len(piece))
    assert cpu_s(lambda: withheld(text), repeat=2) < 0.5
