"""Where the configuration of a function lies, and reading it: a file of the bundle, a parameter, or an object.

`ROTATOR_CONFIG` is a path (a relative one from `LAMBDA_TASK_ROOT`), `ssm:/parameter/name`, or `s3://bucket/key`. All
three are checked alike. A parameter or an object is read with the rights of the function, not of `[aws] role_arn`,
and a relative path in it is taken from `LAMBDA_TASK_ROOT` as well.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from botocore.exceptions import ClientError

from rotator.aws.session import own_client
from rotator.config.file import SIZE_MAX_BYTES, Config, find_path, load, parse
from rotator.model.errors import ConfigError, RotatorError

T = TypeVar("T")
_SSM = re.compile(r"ssm:(?P<name>/[A-Za-z0-9_./-]{1,1010})", re.ASCII)
_S3 = re.compile(r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])/(?P<key>[!-~]{1,1024})", re.ASCII)
_PLAIN = re.compile(r"[A-Za-z0-9.]{1,64}", re.ASCII)


def read_config(env: Mapping[str, str]) -> Config:
    """Read the configuration that `ROTATOR_CONFIG` names.

    Raises ConfigError if it cannot be read, or cannot be used.
    """
    where = env.get("ROTATOR_CONFIG", "")
    root = Path(env.get("LAMBDA_TASK_ROOT") or ".").absolute()
    if match := _SSM.fullmatch(where):
        ask = {"Name": match["name"], "WithDecryption": True}
        value = _fetched(where, lambda: own_client("ssm", env).get_parameter(**ask)["Parameter"]["Value"])
        return parse(value.encode(), where, root)
    if match := _S3.fullmatch(where):
        at = {"Bucket": match["bucket"], "Key": match["key"]}
        body = _fetched(where, lambda: own_client("s3", env).get_object(**at)["Body"].read(SIZE_MAX_BYTES + 1))
        return parse(body, where, root)
    if where.startswith(("ssm:", "s3:")):
        raise ConfigError(
            "ROTATOR_CONFIG is not the address of a configuration",
            next_step="Write it as a path, as `ssm:/parameter/name`, or as `s3://bucket/key`.",
        )
    return load(root / find_path(None, env))


def _fetched(where: str, fetch: Callable[[], T]) -> T:
    problem = ""
    try:
        return fetch()
    except RotatorError:
        raise
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code"))
        problem = code if _PLAIN.fullmatch(code) else "ClientError"
    except Exception as error:  # noqa: BLE001 - botocore lets anything out, see `rotator.aws.causes`
        problem = type(error).__name__
    raise ConfigError(
        f"the configuration {where} cannot be read: {problem}",
        next_step="See that it exists, and that the function's role may read it (`ssm:GetParameter`, `s3:GetObject`).",
    )
