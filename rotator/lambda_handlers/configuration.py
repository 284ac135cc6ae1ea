"""Where the configuration of a function lies, and reading it: a file of the bundle, a parameter, or an object.

`ROTATOR_CONFIG` is a path (a relative one from `LAMBDA_TASK_ROOT`), `ssm:/parameter/name`, or `s3://bucket/key`. All
three are checked alike. A parameter or an object is read with the rights of the function, not of `[aws] role_arn`,
and a relative path in it is taken from `LAMBDA_TASK_ROOT` as well.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from rotator.aws.session import own_client
from rotator.config.file import SIZE_MAX_BYTES, Config, find_path, load, parse
from rotator.model.errors import ConfigError

_SSM = re.compile(r"ssm:(?P<name>/[A-Za-z0-9_./-]{1,1010})", re.ASCII)
_S3 = re.compile(r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])/(?P<key>[!-~]{1,1024})", re.ASCII)
_PLAIN = re.compile(r"[A-Za-z0-9.]{1,64}", re.ASCII)


def read_config(env: Mapping[str, str]) -> Config:
    """Read the configuration that `ROTATOR_CONFIG` names.

    Raises:
        ConfigError: it cannot be read, or cannot be used.
    """
    where = env.get("ROTATOR_CONFIG", "")
    root = Path(env.get("LAMBDA_TASK_ROOT") or ".").absolute()
    if match := _SSM.fullmatch(where):
        name = match["name"]
        return _parsed(where, root, lambda: _parameter(name, env))
    if match := _S3.fullmatch(where):
        bucket, key = match["bucket"], match["key"]
        return _parsed(where, root, lambda: _object(bucket, key, env))
    if where.startswith(("ssm:", "s3:")):
        raise ConfigError(
            "ROTATOR_CONFIG is no address of a configuration",
            next_step="Write it as a path, as `ssm:/parameter/name`, or as `s3://bucket/key`.",
        )
    return load(root / find_path(None, env))


def _object(bucket: str, key: str, env: Mapping[str, str]) -> bytes:
    found = own_client("s3", env).get_object(Bucket=bucket, Key=key)
    return bytes(found["Body"].read(SIZE_MAX_BYTES + 1))


def _parameter(name: str, env: Mapping[str, str]) -> bytes:
    found = own_client("ssm", env).get_parameter(Name=name, WithDecryption=True)
    return str(found["Parameter"]["Value"]).encode()


def _parsed(where: str, root: Path, read: Callable[[], bytes]) -> Config:
    problem = ""
    try:
        content = read()
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code"))
        problem = code if _PLAIN.fullmatch(code) else "ClientError"
    except BotoCoreError as error:
        problem = type(error).__name__
    if not problem:
        return parse(content, where, root)
    raise ConfigError(
        f"the configuration {where} cannot be read: {problem}",
        next_step="See that it exists, and that the function's role may read it (`ssm:GetParameter`, `s3:GetObject`).",
    )
