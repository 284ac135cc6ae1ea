"""What nobody outside Pinata knows for sure, as switches of the simulated Pinata.

Pinata's documents, its own SDKs and independent clients contradict each other in places (C1 to C11
below) and are silent in others (U1 to U16). A client is sound only if it passes under every value,
so every question is a field here. A default is what most evidence points to; where there is none,
the value that is harder on a careless client. These are settings, not rules: `world` applies
them.
"""

from dataclasses import dataclass
from enum import StrEnum

DAY_S = 86_400.0


class Generation(StrEnum):
    """The three sets of key-management paths, all seen in use by Pinata's own documents or SDKs."""

    LEGACY = "legacy"
    """`/users/generateApiKey`, `/users/apiKeys`, `/users/revokeApiKey`"""
    V3_PINATA = "v3-pinata"
    """`/v3/pinata/keys` and `PUT /v3/pinata/keys/{key}`"""
    V3 = "v3"
    """`/v3/api_keys` and `DELETE /v3/api_keys/{key}`"""


class Policy(StrEnum):
    """Whether a doubtful request is served or answered with an error."""

    ACCEPTED = "accepted"
    REFUSED = "refused"


class LowercaseKeyName(StrEnum):
    """What becomes of the misspelled `keyname` that the v3 example sends."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    IGNORED = "ignored"
    """The key is made without a name."""


class MaxUsesSpelling(StrEnum):
    """How a key without a limit shows `max_uses`."""

    NULL = "null"
    MISSING = "missing"
    ZERO = "zero"
    MINUS_ONE = "minus-one"


class DoneAlready(StrEnum):
    """What v3 answers to a revoke that changes nothing (legacy always says `"Revoked"`)."""

    REVOKED = "revoked"
    NOT_FOUND = "not-found"


class CountOf(StrEnum):
    """What `count` in a list answer counts."""

    TOTAL = "total"
    PAGE = "page"


class Order(StrEnum):
    """The order of a list. No source documents one."""

    NEWEST_FIRST = "newest-first"
    """A create between two pages repeats a row."""
    OLDEST_FIRST = "oldest-first"
    """A revoke between two pages skips a row, when only active keys are listed."""
    LAST_UPDATED_FIRST = "last-updated-first"
    """A revoke moves its row to the front."""
    BY_NAME = "by-name"
    BY_KEY = "by-key"
    UNSTABLE = "unstable"
    """Every call sorts anew: pages repeat and skip rows though nothing changed."""


class Listed(StrEnum):
    """Which keys a list shows when the `revoked` filter is left out."""

    ACTIVE_ONLY = "active-only"
    ALL = "all"


class RevokedFilter(StrEnum):
    """What a list makes of its `revoked` filter."""

    OBEYED = "obeyed"
    IGNORED = "ignored"
    """As if it had been left out."""
    INVERTED = "inverted"
    """`revoked=true` lists the keys that live."""


class NameForm(StrEnum):
    """In which form a key's name is kept."""

    AS_SENT = "as-sent"
    LOWER_CASED = "lower-cased"
    UNSPACED = "unspaced"
    """Without white space at both ends."""


class EchoOrder(StrEnum):
    """In which order a list shows the `resources` of a key."""

    AS_SENT = "as-sent"
    SORTED = "sorted"
    REVERSED = "reversed"


class ErrorShape(StrEnum):
    """The four shapes of error bodies that clients of Pinata have met."""

    STRING = "string"
    """`{"error": "text"}`"""
    REASON_DETAILS = "reason-details"
    """`{"error": {"reason": "CODE", "details": "text"}}`, the legacy shape"""
    CODE_MESSAGE = "code-message"
    """`{"error": {"code": 401, "message": "text"}}`, seen on v3 files"""
    TEXT = "text"
    """Not JSON at all."""


class KeyPairExpiry(StrEnum):
    """Whether the key and secret pair ends with the JWT's `exp`."""

    NEVER = "never"
    WITH_JWT = "with-jwt"


class LimitScope(StrEnum):
    """Whose requests share one rate limit."""

    KEY = "key"
    ACCOUNT = "account"
    ADDRESS = "address"


class RateHeaders(StrEnum):
    """Which answers carry `X-RateLimit-Limit`, `-Remaining` and `-Reset` (epoch seconds)."""

    LEGACY_ONLY = "legacy-only"
    ALL = "all"
    NONE = "none"


class RetryAfter(StrEnum):
    """What a 429 says in `Retry-After`."""

    ABSENT = "absent"
    SECONDS_LEFT = "seconds-left"
    """The whole seconds until a request would be served."""
    SIXTY = "sixty"
    """Always 60, as seen on the pinning service in 2022."""


@dataclass(frozen=True, slots=True)
class Delay:
    """How long the world goes on as before after a change: `seconds`, then it is settled.

    With `flap_s`, old and new state alternate every `flap_s` seconds until then, the old one first.
    """

    seconds: float = 0.0
    flap_s: float = 0.0

    def is_over(self, since: float, now: float) -> bool:
        """Say whether a change made at `since` shows at `now` (both in epoch seconds)."""
        elapsed_s = now - since
        if elapsed_s >= self.seconds:
            return True
        return self.flap_s > 0 and int(elapsed_s // self.flap_s) % 2 == 1


@dataclass(frozen=True, slots=True)
class RateLimits:
    """Requests served in any 60 seconds (C11); by default Pinata's documented free plan."""

    data_per_minute: int | None = 30
    """On `/data/*`, apart from the rest; `None` is no limit."""
    other_per_minute: int | None = 60
    scope: LimitScope = LimitScope.ACCOUNT
    headers: RateHeaders = RateHeaders.LEGACY_ONLY
    retry_after: RetryAfter = RetryAfter.SECONDS_LEFT


UNLIMITED = RateLimits(data_per_minute=None, other_per_minute=None)


@dataclass(frozen=True, slots=True)
class Switches:
    """One answer to every open question; the comment before a field names the question."""

    # C1: the generations that exist, over one set of keys.
    generations: frozenset[Generation] = frozenset(Generation)
    # C2: `keyname` instead of `keyName` in a create body.
    lowercase_key_name: LowercaseKeyName = LowercaseKeyName.REFUSED
    # C3: v3 create without `permissions`; v3 create with `maxUses` (False: taken, without effect).
    permissions_missing: Policy = Policy.REFUSED
    max_uses_on_v3: bool = True
    # C4: `admin` beside `endpoints`; not all endpoints named; nothing allowed at all.
    admin_with_endpoints: Policy = Policy.ACCEPTED
    partial_endpoints: Policy = Policy.ACCEPTED
    nothing_allowed: Policy = Policy.REFUSED
    # C5: hexadecimal digits of a key: 20 or 32.
    key_digits: int = 20
    # C6: status without credentials on legacy paths: 400 or 401.
    no_credentials_status: int = 401
    # C7: testAuthentication with a key that has nothing but v3 `resources`.
    resources_only_authenticates: bool = True
    # C8: list items have a `secret`.
    secret_listed: bool = False
    # C9: `max_uses` of a key without a limit.
    unlimited_max_uses: MaxUsesSpelling = MaxUsesSpelling.NULL
    # C10: from creation to the JWT's `exp`; None: `iat` and no `exp`.
    jwt_lifetime_s: float | None = 365 * DAY_S
    # C11
    limits: RateLimits = RateLimits()
    # U1: testAuthentication uses up one of `maxUses`.
    authentication_is_a_use: bool = False
    # U2: the answer to a key without uses left.
    used_up_status: int = 403
    used_up_reason: str = "API_KEY_EXHAUSTED"
    # U3: until a new key works, until a revoked one stops, and until the list shows either.
    activation: Delay = Delay()
    revocation: Delay = Delay()
    listing: Delay = Delay()
    # U4: v3 revoke of a key that does not exist, or is revoked.
    unknown_key: DoneAlready = DoneAlready.REVOKED
    already_revoked: DoneAlready = DoneAlready.REVOKED
    # U5
    count_of: CountOf = CountOf.PAGE
    # U6: which rows shift between pages follows from the order.
    order: Order = Order.NEWEST_FIRST
    page_size: int = 10
    # U7
    listed_by_default: Listed = Listed.ALL
    # U8: the field of `scopes` that echoes `resources`; None: no echo.
    resources_echo: str | None = "resources"
    resources_echo_order: EchoOrder = EchoOrder.AS_SENT
    # U9: one key with `endpoints` and `resources`.
    mixed_scopes: Policy = Policy.REFUSED
    # U10: `org:write` opens the legacy key endpoints; it implies every `org:*:write`, and
    # `org:read` every `org:*:read`.
    org_write_covers_legacy: bool = False
    org_scopes_imply_all: bool = False
    # U11
    self_revoke: Policy = Policy.ACCEPTED
    last_admin_revoke: Policy = Policy.ACCEPTED
    # U12: a name used twice; longest name; pattern of a whole name; live keys per account.
    duplicate_names: Policy = Policy.ACCEPTED
    name_length_max: int | None = None
    name_pattern: str | None = None
    live_keys_max: int | None = None
    # U13: error bodies on v3 paths, and of a 400 about the body on any path.
    v3_errors: ErrorShape = ErrorShape.CODE_MESSAGE
    bad_request_errors: ErrorShape = ErrorShape.REASON_DETAILS
    # U14
    key_pair_expiry: KeyPairExpiry = KeyPairExpiry.NEVER
    # U15: what is kept of the name that a create sends: its form, and so many characters; None: all.
    name_form: NameForm = NameForm.AS_SENT
    name_cut_at: int | None = None
    # U16
    revoked_filter: RevokedFilter = RevokedFilter.OBEYED
