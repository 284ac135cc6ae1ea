"""A simulated Pinata served over loopback HTTP, with a client that holds its managing key."""

import httpx

from rotator.sandbox.pinata.faults import Fault, Injection, Operation
from rotator.sandbox.pinata.server import PinataServer
from rotator.sandbox.pinata.switches import UNLIMITED, Switches
from rotator.sandbox.pinata.world import PinataWorld, seeded

START = 1_790_000_000.0
FILES = {"resources": ["org:files:write"]}


class Pinata:
    """A served world with a hand-moved clock, and an HTTP client that holds its managing key."""

    def __init__(self) -> None:
        """Serve a world without rate limits."""
        self.now = START
        world = PinataWorld(lambda: self.now, seeded("http"), Switches(limits=UNLIMITED))
        self.server = PinataServer(world)
        self.site = self.server.site
        self.jwt = self.server.seed_admin()
        headers = {"Authorization": f"Bearer {self.jwt}"}
        self.http = httpx.Client(base_url=self.server.url, headers=headers, trust_env=False, timeout=600)

    def switch(self, switches: Switches) -> None:
        """Put other switches in force."""
        with self.site.lock:
            self.site.world.switches = switches

    def inject(self, fault: Fault, operation: Operation | None = None, nth: int = 1) -> None:
        """Inject a fault once."""
        with self.site.lock:
            self.site.faults.add(Injection(fault, operation, nth))

    def create(self, name: str = "a") -> httpx.Response:
        """Create a v3 key."""
        return self.http.post("/v3/api_keys", json={"keyName": name, "permissions": FILES})

    def authenticate(self, jwt: str) -> httpx.Response:
        """Call testAuthentication with a token."""
        headers = {"Authorization": f"Bearer {jwt}"}
        return self.http.get("/data/testAuthentication", headers=headers)

    def names(self) -> list[str]:
        """Give the names of all keys that exist."""
        return [record.name for record in self.site.world.keys.values()]
