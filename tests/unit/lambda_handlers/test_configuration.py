"""Where a configuration may lie, and that it is checked alike wherever it lies."""

from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto import mock_aws

from rotator.lambda_handlers.configuration import read_config
from rotator.model.errors import ConfigError

GOOD = """
[pinata]
admin_secret = "pinata/admin"
[audit]
directory = "audit"
[[secrets]]
name = "uploader"
secret_id = "prod/pinata/uploader"
permissions = { resources = ["org:files:write"] }
"""
BAD = GOOD.replace("permissions", "permisions")


@pytest.fixture(autouse=True)
def _aws() -> Iterator[None]:
    """Begin with an empty account."""
    with mock_aws():
        yield


def parameter(text: str) -> dict[str, str]:
    """Put a configuration into a parameter; return the environment that names it."""
    boto3.client("ssm").put_parameter(Name="/rotator/config", Value=text, Type="SecureString", Overwrite=True)
    return {"ROTATOR_CONFIG": "ssm:/rotator/config"}


def stored(text: str) -> dict[str, str]:
    """Put a configuration into an object; return the environment that names it."""
    s3 = boto3.client("s3", region_name="us-east-1")
    s3.create_bucket(Bucket="settings")
    s3.put_object(Bucket="settings", Key="rotator/config.toml", Body=text.encode())
    return {"ROTATOR_CONFIG": "s3://settings/rotator/config.toml"}


@pytest.mark.parametrize("lay", [parameter, stored])
def test_configuration_from_aws(lay: object, tmp_path: Path) -> None:
    """A parameter and an object hold what a file could; relative paths are taken from the function's folder."""
    assert callable(lay)
    config = read_config({**lay(GOOD), "LAMBDA_TASK_ROOT": str(tmp_path)})
    assert [spec.name for spec in config.secrets] == ["uploader"]
    assert config.audit.directory == tmp_path / "audit"


@pytest.mark.parametrize("lay", [parameter, stored])
def test_problems_name_their_source(lay: object) -> None:
    """A wrong configuration is told by its address and line."""
    assert callable(lay)
    env = lay(BAD)
    with pytest.raises(ConfigError) as wrong:
        read_config(env)
    assert f"{env['ROTATOR_CONFIG']}:9" in wrong.value.message
    assert "permissions" in wrong.value.message


def test_size_is_limited() -> None:
    """No more than a mebibyte of an object is taken."""
    with pytest.raises(ConfigError, match="is larger than"):
        read_config(stored("#" * (1024 * 1024 + 1)))


def test_file_of_the_bundle(tmp_path: Path) -> None:
    """A relative path is one of the bundle."""
    (tmp_path / "rotator.toml").write_text(GOOD)
    (tmp_path / "rotator.toml").chmod(0o644)
    env = {"ROTATOR_CONFIG": "rotator.toml", "LAMBDA_TASK_ROOT": str(tmp_path)}
    assert read_config(env).secrets[0].name == "uploader"


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("ssm:/none/such", "ParameterNotFound"),
        ("s3://none/such", "NoSuchBucket"),
        ("ssm:none", "not the address"),
        ("s3://", "not the address"),
        ("s3://Bucket/key", "not the address"),
        ("nowhere.toml", "does not exist"),
    ],
)
def test_nothing_there(where: str, said: str) -> None:
    """What cannot be read is an error of ours, which drags none of AWS's along."""
    with pytest.raises(ConfigError, match=said) as wrong:
        read_config({"ROTATOR_CONFIG": where})
    assert wrong.value.__context__ is None or wrong.value.__suppress_context__
