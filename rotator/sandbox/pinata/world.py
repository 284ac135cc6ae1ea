"""The simulated Pinata's rules and state: accounts, their keys, and what each call does to them.

Deterministic and without I/O: time comes from the clock that is passed in, ids, keys and secrets
from a digest of a label, so equal worlds given equal calls stay equal. Records are frozen and
replaced, so `copy` is one small dictionary copy; an explorer may fork a world at every step. It
knows nothing of HTTP; `site` gives it paths, headers and faults. Where Pinata's behaviour is
unknown, `Switches` decides.

    world = PinataWorld(clock=time.time, digest=seeded("my test"))
    admin = world.seed("managing key", Permissions(admin=True))
    record = world.create(Bearer(admin.jwt), Generation.V3, {"keyName": "a", "permissions": {...}})
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Self

from rotator.sandbox.pinata import tokens as pinata_jwt
from rotator.sandbox.pinata.listing import page_of
from rotator.sandbox.pinata.records import Anonymous, Bearer, Credential, KeyPair, KeyRecord, ListQuery, Page
from rotator.sandbox.pinata.scopes import Permissions, Refused, bad_request, parse_create
from rotator.sandbox.pinata.switches import DAY_S, DoneAlready, Generation, KeyPairExpiry, NameForm, Policy, Switches

Clock = Callable[[], float]
"""Gives the time in epoch seconds."""
Digest = Callable[[str], str]
"""Gives 128 hexadecimal digits for a label; the only source of ids, keys and secrets."""

NO_CREDENTIALS = "KEYS_MUST_BE_STRINGS"


def seeded(seed: str) -> Digest:
    """Return a digest that gives other keys for another `seed`."""
    return lambda label: hashlib.sha512(f"{seed}/{label}".encode()).hexdigest()


@dataclass(slots=True)
class PinataWorld:
    """All accounts and keys. Every call names its credential; every refusal is a `Refused`."""

    clock: Clock
    digest: Digest
    switches: Switches = field(default_factory=Switches)
    keys: dict[str, KeyRecord] = field(default_factory=dict)
    """By public key, in the order of creation."""
    serial: int = 0
    """How many keys were ever made."""
    listings: int = 0
    """How many lists were served; gives `Order.UNSTABLE` its next order."""

    def copy(self) -> Self:
        """Return an independent world in the same state, with the same clock and digest."""
        return replace(self, keys=dict(self.keys))

    def seed(
        self,
        name: str,
        permissions: Permissions,
        *,
        account: str = "sandbox",
        max_uses: int | None = None,
        age_s: float = DAY_S,
    ) -> KeyRecord:
        """Put a key into `account` as if made by hand `age_s` ago, past every rule."""
        return self._mint(name, permissions, account, max_uses, self.clock() - age_s)

    def create(self, credential: Credential, generation: Generation, body: object) -> KeyRecord:
        """Make a key in the caller's account from a parsed JSON body."""
        caller = self._managing_caller(credential, generation)
        wanted = parse_create(body, generation, self.switches)
        name = _kept(wanted.name, self.switches)
        self._check_room(caller.account, name)
        return self._mint(name, wanted.permissions, caller.account, wanted.max_uses, self.clock())

    def list_keys(self, credential: Credential, generation: Generation, query: ListQuery) -> Page:
        """Give one page of the caller's account; legacy takes an offset and no filters."""
        caller = self._managing_caller(credential, generation)
        if generation is Generation.LEGACY:
            query = ListQuery(offset=query.offset)
        self.listings += 1

        def disorder(key: str) -> str:
            return self.digest(f"order/{self.listings}/{key}")

        return page_of(self.keys_of(caller.account), query, self.switches, self.clock(), disorder)

    def revoke(self, credential: Credential, generation: Generation, key: str) -> None:
        """Revoke a key of the caller's account; legacy succeeds for any string."""
        caller = self._managing_caller(credential, generation)
        target = self.keys.get(key)
        if target is None or target.account != caller.account:
            self._nothing_to_revoke(generation, self.switches.unknown_key)
        elif target.revoked_at is not None:
            self._nothing_to_revoke(generation, self.switches.already_revoked)
        else:
            self._check_revocable(caller, target)
            now = self.clock()
            # Read again: the call itself may have used up one of the target's own uses.
            self.keys[key] = replace(self.keys[key], revoked_at=now, updated_at=now)

    def test_authentication(self, credential: Credential) -> KeyRecord:
        """Accept any live key, whatever its scopes (unless switched), and return its record."""
        record = self._authenticate(credential)
        permissions = record.permissions
        resources_only = bool(permissions.resources) and not (permissions.admin or permissions.endpoints)
        if resources_only and not self.switches.resources_only_authenticates:
            raise _no_scopes()
        if self.switches.authentication_is_a_use:
            self._use(record)
        return record

    def open_endpoint(self, credential: Credential, endpoint: str) -> None:
        """Pass a call of a legacy endpoint such as `data.pinList`, or refuse it."""
        record = self._authenticate(credential)
        if not record.permissions.allow_endpoint(endpoint):
            raise _no_scopes()
        self._use(record)

    def open_resource(self, credential: Credential, resource: str) -> None:
        """Pass a call of a v3 resource such as `org:files:read`, or refuse it.

        The 401 texts are those seen on v3 files; the first misleads, and is what a key with legacy
        scopes gets (PinataCloud/pinata issue 71).
        """
        record = self._authenticate(credential, v3=True)
        if record.permissions.allow_resource(resource, self.switches):
            self._use(record)
        elif record.permissions.endpoints:
            raise _no_header()
        else:
            raise Refused(401, "NOT_AUTHORIZED", "Not Authorized")

    def foreign_jwt(self, key: str) -> str:
        """Return a well-formed token that names another key than `key`, one that does not exist."""
        other = self.digest(f"foreign/{key}")
        return self._jwt(other[:20], other[:64], self.keys[key].account, self.clock())

    def _managing_caller(self, credential: Credential, generation: Generation) -> KeyRecord:
        record = self._authenticate(credential, v3=generation is not Generation.LEGACY)
        if not record.permissions.allow_key_management(generation, self.switches):
            raise _no_scopes()
        return self._use(record)

    def _authenticate(self, credential: Credential, *, v3: bool = False) -> KeyRecord:
        now = self.clock()
        record: KeyRecord | None = None
        match credential:
            case Anonymous() if v3:
                raise _no_header()
            case Anonymous():
                raise Refused(
                    self.switches.no_credentials_status,
                    NO_CREDENTIALS,
                    "pinata_api_key and pinata_secret_api_key must both be strings",
                )
            case Bearer(token):
                record = self.keys.get(key_named_by(credential))
                matches = record is not None and record.jwt == token
                expires = True
            case KeyPair(key, secret):
                record = self.keys.get(key)
                matches = record is not None and record.secret == secret
                expires = self.switches.key_pair_expiry is KeyPairExpiry.WITH_JWT
        if record is None or not matches or (expires and _is_expired(record, now)):
            raise _invalid_credentials()
        if not self.switches.activation.is_over(record.created_at, now):
            raise _invalid_credentials()
        revoked_at = record.revoked_at
        if revoked_at is not None and self.switches.revocation.is_over(revoked_at, now):
            raise Refused(403, "API_KEY_REVOKED", "This API Key has been revoked")
        if record.used_up:
            raise Refused(self.switches.used_up_status, self.switches.used_up_reason, "This key has no uses left")
        return record

    def _use(self, record: KeyRecord) -> KeyRecord:
        if record.max_uses is not None:
            record = replace(record, uses=record.uses + 1)
            self.keys[record.key] = record
        return record

    def _mint(
        self, name: str, permissions: Permissions, account: str, max_uses: int | None, created_at: float
    ) -> KeyRecord:
        self.serial += 1
        drawn = self.digest(f"key/{self.serial}")
        key, secret = drawn[: self.switches.key_digits], drawn[64:]
        record = KeyRecord(
            key=key,
            secret=secret,
            jwt=self._jwt(key, secret, account, created_at),
            id=as_uuid(self.digest(f"id/{self.serial}")),
            name=name,
            account=account,
            permissions=permissions,
            max_uses=max_uses,
            uses=0,
            created_at=created_at,
            updated_at=created_at,
            revoked_at=None,
            expires_at=self._expiry(created_at),
        )
        self.keys[key] = record
        return record

    def _jwt(self, key: str, secret: str, account: str, created_at: float) -> str:
        expires_at = self._expiry(created_at)
        lifetime = {"iat": int(created_at)} if expires_at is None else {"exp": int(expires_at)}
        signing_key = self.digest("signing key").encode()
        return pinata_jwt.mint(key, secret, self.account_id(account), lifetime, signing_key)

    def _expiry(self, created_at: float) -> float | None:
        lifetime_s = self.switches.jwt_lifetime_s
        return None if lifetime_s is None else float(int(created_at + lifetime_s))

    def account_id(self, account: str) -> str:
        """Return the uuid that lists call `user_id`."""
        return as_uuid(self.digest(f"account/{account}"))

    def keys_of(self, account: str) -> Iterator[KeyRecord]:
        """Yield the keys of one account."""
        return (record for record in self.keys.values() if record.account == account)

    def _check_room(self, account: str, name: str) -> None:
        maximum = self.switches.live_keys_max
        if maximum is None and self.switches.duplicate_names is Policy.ACCEPTED:
            return
        live = [record for record in self.keys_of(account) if record.revoked_at is None]
        if maximum is not None and len(live) >= maximum:
            raise bad_request(f"the account has {maximum} keys already")
        if self.switches.duplicate_names is Policy.REFUSED and name in {r.name for r in live}:
            raise bad_request("keyName is in use")

    def _check_revocable(self, caller: KeyRecord, target: KeyRecord) -> None:
        switches = self.switches
        if switches.self_revoke is Policy.REFUSED and target.key == caller.key:
            raise Refused(403, "SELF_REVOKE", "A key cannot revoke itself")
        if switches.last_admin_revoke is Policy.REFUSED and target.permissions.admin:
            others = (
                record
                for record in self.keys_of(target.account)
                if record.permissions.admin and record.revoked_at is None and record.key != target.key
            )
            if next(others, None) is None:
                raise Refused(403, "LAST_ADMIN_KEY", "The last admin key cannot be revoked")

    @staticmethod
    def _nothing_to_revoke(generation: Generation, answer: DoneAlready) -> None:
        if generation is not Generation.LEGACY and answer is DoneAlready.NOT_FOUND:
            raise Refused(404, "NOT_FOUND", "API key not found")


def as_uuid(digits: str) -> str:
    """Shape the first 32 hexadecimal digits as a version 4 uuid."""
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:32]}"


def key_named_by(credential: Credential) -> str:
    """Return the public key that a credential names, true or not; empty if none."""
    match credential:
        case Bearer(token):
            return str(pinata_jwt.claims_of(token).get("scopedKeyKey", ""))
        case KeyPair(key):
            return key
        case Anonymous():
            return ""


def _kept(name: str, switches: Switches) -> str:
    """Return what a key's name becomes."""
    name = name[: switches.name_cut_at]
    match switches.name_form:
        case NameForm.AS_SENT:
            return name
        case NameForm.LOWER_CASED:
            return name.lower()
        case NameForm.UNSPACED:
            return name.strip()


def _no_header() -> Refused:
    return Refused(401, NO_CREDENTIALS, "no Authorization header found")


def _no_scopes() -> Refused:
    return Refused(403, "NO_SCOPES_FOUND", "This key does not have the required scopes associated with it")


def _invalid_credentials() -> Refused:
    return Refused(401, "INVALID_CREDENTIALS", "Invalid/expired credentials")


def _is_expired(record: KeyRecord, now: float) -> bool:
    return record.expires_at is not None and now >= record.expires_at
