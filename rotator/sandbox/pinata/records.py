"""What the simulated Pinata's rules take and keep: credentials, key records, queries, pages."""

from dataclasses import dataclass

from rotator.sandbox.pinata.scopes import Permissions


@dataclass(frozen=True, slots=True)
class Bearer:
    """A JWT, as in `Authorization: Bearer`."""

    token: str


@dataclass(frozen=True, slots=True)
class KeyPair:
    """The headers `pinata_api_key` and `pinata_secret_api_key`."""

    key: str
    secret: str


@dataclass(frozen=True, slots=True)
class Anonymous:
    """No credentials, or only half of a pair."""


Credential = Bearer | KeyPair | Anonymous


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """One API key. Times are epoch seconds; uses are counted for limited keys only."""

    key: str
    secret: str
    jwt: str
    id: str
    name: str
    account: str
    permissions: Permissions
    max_uses: int | None
    uses: int
    created_at: float
    updated_at: float
    revoked_at: float | None
    expires_at: float | None

    @property
    def used_up(self) -> bool:
        """Whether no use is left."""
        return self.max_uses is not None and self.uses >= self.max_uses


@dataclass(frozen=True, slots=True)
class ListQuery:
    """The documented filters of a list call; `None` is a filter left out."""

    offset: int = 0
    name: str | None = None
    revoked: bool | None = None
    limited_use: bool | None = None
    exhausted: bool | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """One page of records as the list shows them: `revoked_at` is None until the list knows."""

    records: tuple[KeyRecord, ...]
    count: int
