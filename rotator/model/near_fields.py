"""Fields that hold a key under other names than the configuration's: found, and written as the line to configure."""

import re
from collections.abc import Iterable, Mapping

from rotator.model.secret import JsonFields

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,40}", re.ASCII)
"""What is shown: a field's name may be anything, a pasted secret too."""
_NOT_IN_WORD = re.compile(r"[^a-z0-9]")
_JWT_WORDS = ("pinatajwt", "jwt", "pinatatoken", "pinataaccesstoken", "token", "accesstoken", "bearertoken")
_KEY_WORDS = ("pinataapikey", "pinatakey", "pinatakeyid", "apikey", "apikeyid", "keyid", "key")
_SECRET_WORDS = (
    "pinatasecretapikey",
    "pinataapisecret",
    "pinataapikeysecret",
    "pinatasecretkey",
    "pinataapisecretkey",
    "pinatasecret",
    "apisecret",
    "secretapikey",
    "apikeysecret",
    "apisecretkey",
    "secretkey",
    "secret",
)
"""Each list in the order of preference, in small letters and digits alone."""


def near_fields(value: Mapping[str, object]) -> JsonFields | None:
    """Return the fields of a value that hold a token or a pair or both, by their names; None if it has neither."""
    words = {_NOT_IN_WORD.sub("", name.lower()): name for name, held in value.items() if _is_shown(name, held)}
    jwt, key, secret = (_first(words, wanted) for wanted in (_JWT_WORDS, _KEY_WORDS, _SECRET_WORDS))
    return JsonFields(jwt, key, secret) if jwt or (key and secret) else None


def fields_line(fields: JsonFields) -> str:
    """Write field names as the line of a configuration."""
    named = {"jwt": fields.jwt, "key": fields.key, "secret": fields.secret}
    shown = ", ".join(f'{part} = "{name}"' for part, name in named.items() if name)
    return f"fields = {{ {shown} }}"


def _is_shown(name: str, held: object) -> bool:
    return isinstance(held, str) and _NAME.fullmatch(name) is not None


def _first(words: Mapping[str, str], wanted: Iterable[str]) -> str | None:
    return next((words[word] for word in wanted if word in words), None)
