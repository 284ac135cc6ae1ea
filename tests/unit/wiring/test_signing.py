"""Who signs, as the configuration says: with which credentials, and in which region."""

from pathlib import Path

from rotator.aws.kms import KmsSigner
from rotator.config.file import Config
from rotator.wiring.signing import signer_of
from tests.kms_server import KEY_ARN
from tests.unit.config.texts import GOOD, loaded

ROLE = 'region = "eu-west-1"\nrole_arn = "arn:aws:iam::111122223333:role/rotator"'


def config_with(folder: Path, aws: str, audit: str) -> Config:
    """Return the good configuration with more in two of its sections."""
    return loaded(folder, GOOD.replace("[aws]", f"[aws]\n{aws}").replace("[audit]", f"[audit]\n{audit}"))


def test_a_trail_without_a_key_has_no_signer(tmp_path: Path) -> None:
    """Nothing is asked or read."""
    assert signer_of(loaded(tmp_path, GOOD), {}) is None


def test_key_of_kms_is_used_in_its_region_and_with_own_rights(tmp_path: Path) -> None:
    """Neither the region of the secrets nor their role is the key's."""
    signer = signer_of(config_with(tmp_path, ROLE, f'sign = "kms:{KEY_ARN}"'), {})
    assert isinstance(signer, KmsSigner)
    assert signer._client.meta.endpoint_url == "https://kms.eu-central-1.amazonaws.com"
    credentials = signer._client._request_signer._credentials
    assert (credentials.access_key, credentials.method) == ("testing", "env")
