"""Which credentials a client has."""

from pathlib import Path

import pytest

from rotator.aws.session import assumed_session, own_session
from rotator.config.file import parse
from rotator.wiring.trail import trail_locations

_CONFIG = b"""
[pinata]
admin_jwt_env = "PINATA_ADMIN_JWT"

[aws]
region = "eu-central-1"
role_arn = "arn:aws:iam::111122223333:role/rotator"

[audit]
s3 = "s3://audit-of-rotator/trail"

[[secrets]]
name = "uploader"
secret_id = "prod/pinata/uploader"
permissions = { resources = ["org:files:write"] }
"""


def test_role_is_for_the_secrets_and_not_for_the_bucket(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With `role_arn` the bucket's client signs with the process's own key; the secrets' session as the role."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "OWN")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "own")
    config = parse(_CONFIG, "here", tmp_path)
    assert config.aws.role_arn
    session = assumed_session(own_session(config.aws.region, {}, None), config.aws.role_arn, None)
    credentials = session.get_credentials()
    assert credentials is not None
    assert credentials.method == "assume-role"
    trail = trail_locations(config, {}).bucket
    assert trail is not None
    bucket = trail.client
    signed = bucket.generate_presigned_url("list_objects_v2", Params={"Bucket": "audit-of-rotator"})
    assert "AWSAccessKeyId=OWN&" in signed or "Credential=OWN%2F" in signed
    assert bucket.meta.region_name == "eu-central-1"
