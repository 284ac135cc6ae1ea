"""An account in a simulated Pinata without HTTP, with a clock that tests move by hand."""

import pytest

from rotator.sandbox.pinata.records import Bearer, KeyRecord, ListQuery
from rotator.sandbox.pinata.scopes import ENDPOINTS, Permissions, Refused
from rotator.sandbox.pinata.switches import Generation, Switches
from rotator.sandbox.pinata.world import PinataWorld, seeded

LEGACY, V3_PINATA, V3 = Generation.LEGACY, Generation.V3_PINATA, Generation.V3
START = 1_790_000_000.25
FILES = {"resources": ["org:files:write"]}
ALL_ENDPOINTS = {group: dict.fromkeys(names, True) for group, names in ENDPOINTS.items()}


class HandClock:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        """Start at `START`."""
        self.now = START

    def __call__(self) -> float:
        """Give the time."""
        return self.now


class Account:
    """A world with one admin key, and short names for what tests do in it."""

    def __init__(self, switches: Switches | None = None) -> None:
        """Seed the admin key."""
        self.clock = HandClock()
        self.world = PinataWorld(self.clock, seeded("rules"), switches or Switches())
        self.admin = self.world.seed("managing key", Permissions(admin=True))
        self.bearer = Bearer(self.admin.jwt)

    def create(
        self, name: str = "a", permissions: object = FILES, generation: Generation = V3, **more: object
    ) -> KeyRecord:
        """Create a key as the admin."""
        body = {"keyName": name, "permissions": permissions, **more}
        return self.world.create(self.bearer, generation, body)

    def revoke(self, key: str, generation: Generation = V3) -> None:
        """Revoke a key as the admin."""
        self.world.revoke(self.bearer, generation, key)

    def names(self, query: ListQuery | None = None, generation: Generation = V3) -> list[str]:
        """List the names on one page as the admin."""
        page = self.world.list_keys(self.bearer, generation, query or ListQuery())
        return [record.name for record in page.records]

    def keys(self) -> set[str]:
        """Give the keys that exist."""
        return set(self.world.keys)


def refusal(error: pytest.ExceptionInfo[Refused]) -> tuple[int, str]:
    """Give status and reason."""
    return error.value.status, error.value.reason
