"""Which request means what: the three sets of paths that Pinata serves over the same keys.

"v3" is what PinataCloud/docs describe since April 2025; "v3-pinata" is what Pinata's own SDK and
command line (PinataCloud/pinata, PinataCloud/ipfs-cli) call to this day; "legacy" needs an admin
key and knows no `resources`. testAuthentication is at the root for all of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from rotator.model.errors import ConfigError, UnsafeActionError
from rotator.model.secret import Permissions, Resources
from rotator.pinata.bodies import create_body
from rotator.pinata.requests import Request

TEST_AUTHENTICATION = Request("GET", "/data/testAuthentication")


@dataclass(frozen=True, slots=True)
class Paths:
    """One set of paths."""

    create: str
    keys: str
    revoke_verb: str
    revoke: str
    is_legacy: bool = False
    """The legacy list has no filters, and a legacy revoke takes the key in its body."""

    def create_request(self, name: str, permissions: Permissions, max_uses: int | None) -> Request:
        """Return the request that mints a key. Raises ConfigError if these paths cannot make a key with such scopes."""
        if self.is_legacy and isinstance(permissions, Resources):
            raise ConfigError(
                "the legacy API cannot make a key with `resources`",
                next_step='Set `[pinata] api = "v3"`, or give the secret `endpoints` instead.',
            )
        return Request("POST", self.create, body=create_body(name, permissions, max_uses))

    def list_request(self, filters: Mapping[str, str], offset: int) -> Request:
        """Return the request for one page of keys. The size of a page cannot be chosen."""
        return Request("GET", self.keys, params={**filters, "offset": str(offset)})

    def revoke_request(self, key_id: str) -> Request:
        """Return the request that revokes a key.

        Raises UnsafeActionError if the id is empty, or would be taken for a directory of the path.
        """
        if not key_id.strip("."):
            raise UnsafeActionError("refused to revoke a key whose id is not one")
        if self.is_legacy:
            return Request(self.revoke_verb, self.revoke, body={"apiKey": key_id})
        return Request(self.revoke_verb, self.revoke + quote(key_id, safe=""))

    def filters(self, name: str, *, revoked: bool) -> dict[str, str]:
        """Return the filters for a part of a name, if any, and for live or revoked keys; the legacy list has none."""
        if self.is_legacy:
            return {}
        return ({"name": name} if name else {}) | {"revoked": str(revoked).lower()}


_SETS = {
    "v3": Paths("/v3/api_keys", "/v3/api_keys", "DELETE", "/v3/api_keys/"),
    "v3-pinata": Paths("/v3/pinata/keys", "/v3/pinata/keys", "PUT", "/v3/pinata/keys/"),
    "legacy": Paths("/users/generateApiKey", "/users/apiKeys", "PUT", "/users/revokeApiKey", is_legacy=True),
}


def paths_of(api: str) -> Paths:
    """Return the set of paths that the configuration calls `api`. Raises ConfigError if there is no such set."""
    if api not in _SETS:
        raise ConfigError(f"`[pinata] api` is one of {', '.join(_SETS)}")
    return _SETS[api]
