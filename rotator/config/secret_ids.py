"""From one text of the configuration to the id of a secret, its name or its ARN; or to what is wrong with it.

People paste ids as other tools write them. Each of those forms is named with the part that is too much and the id that
is meant.
"""

import re
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

from rotator.config.values import UnfitError, quoted

_NAME = re.compile(r"[\w/+=.@!-]{1,512}", re.ASCII)
_ARN = re.compile(r"arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:\d{12}:secret:[\w/+=.@!-]{1,519}", re.ASCII)
_PARTS = 7
"""Of an ARN: `arn`, partition, service, region, account, `secret`, name with suffix."""
_RESOLVE = re.compile(r"\{\{resolve:secretsmanager:(?P<id>.+?)(?::SecretString(?::.*)?)?:{0,2}\}\}")
_FIELDS = "it is how ECS names a field and a version, and `fields` names the fields here"
_PARAMETER = "/aws/reference/secretsmanager/"


def secret_id(text: str) -> str:
    """Read the name or the ARN of a secret. Raises UnfitError, which says what is meant where that can be told."""
    if _is_id(text) and not text.startswith(_PARAMETER):
        return text
    raise UnfitError(next(_faults(text), ""))


def _is_id(text: str) -> bool:
    return bool(_NAME.fullmatch(text) or _ARN.fullmatch(text))


def _faults(text: str) -> Iterator[str]:
    """Yield what is wrong with an id, the likeliest first; nothing if it is no known form."""
    bare = text.strip(" \t\r\n\"'`")
    if bare != text and _is_id(bare):
        yield f'has white space or quotes around it; write "{bare}"'
    if (resolved := _RESOLVE.fullmatch(text)) and _is_id(resolved["id"]):
        yield f'is a dynamic reference of CloudFormation; write the id in it, "{resolved["id"]}"'
    if text.startswith(_PARAMETER):
        yield f'is how Parameter Store refers to a secret; write its name, "{text.removeprefix(_PARAMETER)}"'
    if name := parse_qs(urlsplit(text).query).get("name") if text.startswith("https://") else None:
        yield f'is an address of the console; write the name in it, "{name[0]}"'
    parts = text.split(":")
    if parts[0] == "arn":
        yield from _faults_of_arn(parts)
    elif "secret" in parts[:-1]:
        yield f"{quoted(text)} is a part of an ARN; write the whole of it, from `arn:` on, or the secret's name alone"
    elif len(parts) > 1 and _NAME.fullmatch(parts[0]):
        yield f'{quoted(text[len(parts[0]) :])} behind the name is too much: {_FIELDS}; write "{parts[0]}"'


def _faults_of_arn(parts: list[str]) -> Iterator[str]:
    _, _, service, region, account, kind, *_ = [*parts, *[""] * _PARTS]
    if service != "secretsmanager":
        yield f"is an ARN of the service {quoted(service)}; the ARN of a secret has `secretsmanager` there"
    if not re.fullmatch(r"[a-z0-9-]+", region):
        yield f"has {quoted(region)} where an ARN has its region"
    if not re.fullmatch(r"\d{12}", account, re.ASCII):
        yield f"has {quoted(account)} where an ARN has its account of 12 digits"
    if kind != "secret":
        yield f"has {quoted(kind)} where the ARN of a secret has `secret`, before the name"
    whole = ":".join(parts[:_PARTS])
    if len(parts) > _PARTS and _ARN.fullmatch(whole):
        yield f'{quoted(":" + ":".join(parts[_PARTS:]))} behind the ARN is too much: {_FIELDS}; write "{whole}"'
