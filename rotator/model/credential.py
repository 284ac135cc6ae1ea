"""Secret material: the one type that carries it, and a key as consumers use it."""

import hmac
from dataclasses import dataclass
from datetime import datetime
from typing import Never


class Sensitive:
    """The only carrier of secret material: it cannot be printed, formatted, pickled or put into JSON.

    `str()` and formatting raise instead of masking, so that a mask can never be stored as if it were the value.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        """Wrap a secret text."""
        self._text = text

    def reveal(self) -> str:
        """Return the text. Called where a header or a stored value is built, and nowhere else."""
        return self._text

    def __repr__(self) -> str:
        return "<sensitive>"

    def __str__(self) -> Never:
        raise TypeError("a sensitive value has no text form")

    def __format__(self, format_spec: str) -> Never:
        raise TypeError("a sensitive value has no text form")

    def __reduce__(self) -> Never:
        raise TypeError("a sensitive value cannot be pickled or copied")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sensitive):
            return NotImplemented
        return hmac.compare_digest(
            self._text.encode(errors="surrogatepass"), other._text.encode(errors="surrogatepass")
        )

    def __hash__(self) -> int:
        return hash(self._text)


@dataclass(frozen=True, slots=True)
class Token:
    """A key as consumers send it in `Authorization: Bearer`."""

    jwt: Sensitive


@dataclass(frozen=True, slots=True)
class HeaderPair:
    """A key as consumers send it in the headers `pinata_api_key` and `pinata_secret_api_key`."""

    key_id: str
    secret: Sensitive


Form = Token | HeaderPair


@dataclass(frozen=True, slots=True)
class Credential:
    """One key as consumers use it: its public id, and its JWT and the secret of its header pair as far as known."""

    key_id: str
    jwt: Sensitive | None
    secret: Sensitive | None
    expires_at: datetime | None
    """The `exp` claim of the JWT; tokens made before mid-2023 have none."""
    forms: tuple[Form, ...]
    """What has to be asked to prove it, at least one. A pair that equals the token's own claims is proved with it."""
