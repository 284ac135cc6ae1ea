"""The simulated Pinata's keys without HTTP: shapes, credentials, expiry, delays, revocation."""

import re

import pytest

from rotator.sandbox.pinata import tokens as pinata_jwt
from rotator.sandbox.pinata.records import Anonymous, Bearer, KeyPair, KeyRecord, ListQuery
from rotator.sandbox.pinata.scopes import Permissions, Refused
from rotator.sandbox.pinata.switches import DAY_S, Delay, DoneAlready, Generation, KeyPairExpiry, Policy, Switches
from rotator.sandbox.pinata.world import PinataWorld, seeded
from tests.unit.sandbox.pinata.account import ALL_ENDPOINTS, FILES, LEGACY, START, V3, Account, HandClock, refusal


def test_a_key_has_the_shapes_of_a_real_one() -> None:
    """Key 20 hex, secret 64 hex, a JWT of about 680 characters, a uuid as the id."""
    record = Account().create()
    assert re.fullmatch(r"[0-9a-f]{20}", record.key)
    assert re.fullmatch(r"[0-9a-f]{64}", record.secret)
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", record.id)
    assert 675 <= len(record.jwt) <= 695
    assert re.fullmatch(r"[\w-]+\.[\w-]+\.[\w-]{43}", record.jwt)


def test_the_jwt_carries_the_documented_claims() -> None:
    """The token names its key and secret and expires after a year; it has no `iat`."""
    account = Account()
    record = account.create()
    claims = pinata_jwt.claims_of(record.jwt)
    assert claims["scopedKeyKey"] == record.key
    assert claims["scopedKeySecret"] == record.secret
    assert claims["authenticationType"] == "scopedKey"
    assert claims["exp"] == int(START + 365 * DAY_S)
    assert set(claims) == {"userInformation", "authenticationType", "scopedKeyKey", "scopedKeySecret", "exp"}
    information = claims["userInformation"]
    assert isinstance(information, dict)
    assert information["id"] == account.world.account_id("sandbox")


@pytest.mark.parametrize("token", ["", "a.b", "a.b.c", "a.!!.c", "a.W10.c", "a.bnVsbA.c", "a.é.c"])
def test_text_that_is_no_jwt_has_no_claims(token: str) -> None:
    """Decoding never fails, whatever the text."""
    assert pinata_jwt.claims_of(token) == {}


def test_equal_worlds_stay_equal_and_a_copy_is_independent() -> None:
    """Two worlds with one seed make the same keys; what happens to a copy stays in the copy."""
    first, second = Account(), Account()
    assert first.create() == second.create()
    copy = first.world.copy()
    before = first.keys()
    forked = copy.create(first.bearer, V3, {"keyName": "b", "permissions": FILES})
    copy.revoke(first.bearer, V3, first.admin.key)
    assert first.keys() == before
    assert first.world.keys[first.admin.key].revoked_at is None
    assert first.create("b") == forked


def test_another_seed_makes_other_keys() -> None:
    """Two sandboxes do not share keys."""
    worlds = [PinataWorld(HandClock(), seeded(seed)) for seed in ("one", "two")]
    one, two = (world.seed("a", Permissions(admin=True)) for world in worlds)
    assert one.key != two.key
    assert one.jwt != two.jwt


def test_jwt_and_pair_both_authenticate() -> None:
    """A live key is accepted in either form."""
    account = Account()
    record = account.create()
    assert account.world.test_authentication(Bearer(record.jwt)) == record
    assert account.world.test_authentication(KeyPair(record.key, record.secret)) == record


def test_a_wrong_token_is_refused() -> None:
    """A token must be the one that was issued, to the last character."""
    account = Account()
    token = account.admin.jwt
    for wrong in (token[:-1], f"{token}A", "x.y.z", ""):
        with pytest.raises(Refused) as error:
            account.world.test_authentication(Bearer(wrong))
        assert refusal(error) == (401, "INVALID_CREDENTIALS")


def test_a_wrong_pair_is_refused() -> None:
    """Neither a wrong secret nor an unknown key passes."""
    account = Account()
    for pair in (KeyPair(account.admin.key, "0" * 64), KeyPair("0" * 20, account.admin.secret)):
        with pytest.raises(Refused) as error:
            account.world.test_authentication(pair)
        assert refusal(error) == (401, "INVALID_CREDENTIALS")


@pytest.mark.parametrize("status", [400, 401])
def test_c6_no_credentials(status: int) -> None:
    """Without credentials the status on legacy paths is the switched one, on v3 401."""
    account = Account(Switches(no_credentials_status=status))
    with pytest.raises(Refused) as error:
        account.world.test_authentication(Anonymous())
    assert refusal(error) == (status, "KEYS_MUST_BE_STRINGS")
    with pytest.raises(Refused) as error:
        account.world.list_keys(Anonymous(), V3, ListQuery())
    assert error.value.status == 401
    assert error.value.details == "no Authorization header found"


@pytest.mark.parametrize("generation", Generation)
def test_a_revoked_key_is_refused_and_stays_listed(generation: Generation) -> None:
    """After a revoke the key gets a 403 in either form, and the list shows it as revoked."""
    account = Account()
    record = account.create()
    account.revoke(record.key, generation)
    for credential in (Bearer(record.jwt), KeyPair(record.key, record.secret)):
        with pytest.raises(Refused) as error:
            account.world.test_authentication(credential)
        assert refusal(error) == (403, "API_KEY_REVOKED")
    assert account.names(ListQuery(revoked=True)) == ["a"]
    assert account.names(ListQuery(revoked=False)) == ["managing key"]


@pytest.mark.parametrize("digits", [20, 32])
def test_c5_length_of_the_key(digits: int) -> None:
    """Keys have 20 or 32 digits, and either works."""
    account = Account(Switches(key_digits=digits))
    record = account.create()
    assert len(record.key) == digits
    assert account.world.test_authentication(Bearer(record.jwt)) == record


@pytest.mark.parametrize("accepted", [True, False])
def test_c7_resources_only_keys_at_test_authentication(*, accepted: bool) -> None:
    """A key with v3 resources alone passes or lacks scopes; a legacy key always passes."""
    account = Account(Switches(resources_only_authenticates=accepted))
    modern = account.create()
    legacy = account.create("l", {"endpoints": ALL_ENDPOINTS}, LEGACY)
    assert account.world.test_authentication(Bearer(legacy.jwt)) == legacy
    if accepted:
        assert account.world.test_authentication(Bearer(modern.jwt)) == modern
    else:
        with pytest.raises(Refused) as error:
            account.world.test_authentication(Bearer(modern.jwt))
        assert refusal(error) == (403, "NO_SCOPES_FOUND")


def test_c10_a_token_without_expiry_has_its_time_of_issue() -> None:
    """Without a lifetime there is `iat`, no `exp`, and the token still works years later."""
    account = Account(Switches(jwt_lifetime_s=None))
    record = account.create()
    claims = pinata_jwt.claims_of(record.jwt)
    assert claims["iat"] == int(START)
    assert "exp" not in claims
    account.clock.now += 3650 * DAY_S
    assert account.world.test_authentication(Bearer(record.jwt)) == record


@pytest.mark.parametrize("expiry", KeyPairExpiry)
def test_c10_u14_expiry_of_token_and_pair(expiry: KeyPairExpiry) -> None:
    """The token ends at its `exp`; the pair goes on, or ends with it."""
    account = Account(Switches(jwt_lifetime_s=2 * DAY_S, key_pair_expiry=expiry))
    record = account.create()
    pair = KeyPair(record.key, record.secret)
    account.clock.now += 2 * DAY_S - 1
    assert account.world.test_authentication(Bearer(record.jwt)) == record
    account.clock.now += 1
    with pytest.raises(Refused) as error:
        account.world.test_authentication(Bearer(record.jwt))
    assert refusal(error) == (401, "INVALID_CREDENTIALS")
    if expiry is KeyPairExpiry.NEVER:
        assert account.world.test_authentication(pair) == record
    else:
        with pytest.raises(Refused):
            account.world.test_authentication(pair)


@pytest.mark.parametrize("counted", [True, False])
def test_u1_uses_by_test_authentication(*, counted: bool) -> None:
    """TestAuthentication uses up a limited key only if switched so; other calls always do."""
    account = Account(Switches(authentication_is_a_use=counted))
    record = account.create(maxUses=2)
    account.world.test_authentication(Bearer(record.jwt))
    account.world.open_resource(Bearer(record.jwt), "org:files:read")
    assert account.world.keys[record.key].uses == (2 if counted else 1)


@pytest.mark.parametrize(("status", "reason"), [(401, "INVALID_CREDENTIALS"), (403, "USED_UP")])
def test_u2_a_used_up_key(status: int, reason: str) -> None:
    """A key without uses left is refused as switched, and the list finds it as exhausted."""
    account = Account(Switches(used_up_status=status, used_up_reason=reason))
    record = account.create(maxUses=1)
    account.world.open_resource(Bearer(record.jwt), "org:files:read")
    with pytest.raises(Refused) as error:
        account.world.test_authentication(Bearer(record.jwt))
    assert refusal(error) == (status, reason)
    assert account.names(ListQuery(limited_use=True, exhausted=True)) == ["a"]


def accepted(account: Account, record: KeyRecord) -> bool:
    """Say whether testAuthentication accepts the key now."""
    try:
        account.world.test_authentication(Bearer(record.jwt))
    except Refused:
        return False
    return True


def test_u3_delays_of_a_new_and_of_a_revoked_key() -> None:
    """A key works only after the one delay and dies only after the other."""
    account = Account(Switches(activation=Delay(5), revocation=Delay(7)))
    record = account.create()
    seen = []
    for _ in range(6):
        seen.append(accepted(account, record))
        account.clock.now += 1
    assert seen == [False] * 5 + [True]
    account.revoke(record.key)
    seen.clear()
    for _ in range(8):
        seen.append(accepted(account, record))
        account.clock.now += 1
    assert seen == [True] * 7 + [False]
    assert account.names(ListQuery(revoked=True)) == ["a"]


def test_u3_flapping() -> None:
    """Until it is settled a new key works every other second."""
    account = Account(Switches(activation=Delay(5, flap_s=1)))
    record = account.create()
    seen = []
    for _ in range(8):
        seen.append(accepted(account, record))
        account.clock.now += 1
    assert seen == [False, True, False, True, False, True, True, True]


@pytest.mark.parametrize("generation", Generation)
@pytest.mark.parametrize("rule", DoneAlready)
def test_u4_revoke_of_unknown_and_revoked_keys(generation: Generation, rule: DoneAlready) -> None:
    """V3 says done or not found; legacy says done to any string. The first revoke's time stays."""
    account = Account(Switches(unknown_key=rule, already_revoked=rule))
    record = account.create()
    account.revoke(record.key)
    account.clock.now += 10
    for key in (record.key, "no such key"):
        if generation is not LEGACY and rule is DoneAlready.NOT_FOUND:
            with pytest.raises(Refused) as error:
                account.revoke(key, generation)
            assert refusal(error) == (404, "NOT_FOUND")
        else:
            account.revoke(key, generation)
    assert account.world.keys[record.key].revoked_at == START
    assert set(account.keys()) == {record.key, account.admin.key}


@pytest.mark.parametrize("policy", Policy)
def test_u11_a_key_revoking_itself(policy: Policy) -> None:
    """A key's revoke of itself is served or refused."""
    account = Account(Switches(self_revoke=policy))
    account.create("second", {"admin": True})
    if policy is Policy.REFUSED:
        with pytest.raises(Refused) as error:
            account.revoke(account.admin.key)
        assert error.value.status == 403
    else:
        account.revoke(account.admin.key)
    revoked_at = account.world.keys[account.admin.key].revoked_at
    assert (revoked_at is None) is (policy is Policy.REFUSED)


@pytest.mark.parametrize("policy", Policy)
def test_u11_the_last_admin_key(policy: Policy) -> None:
    """The last admin key of an account is protected or not; one of two never is."""
    account = Account(Switches(last_admin_revoke=policy))
    second = account.create("second", {"admin": True})
    account.revoke(second.key)
    assert account.world.keys[second.key].revoked_at == START
    if policy is Policy.REFUSED:
        with pytest.raises(Refused) as error:
            account.revoke(account.admin.key)
        assert error.value.status == 403
    else:
        account.revoke(account.admin.key)
        assert account.world.keys[account.admin.key].revoked_at == START


def test_a_foreign_token_names_a_key_that_does_not_exist() -> None:
    """The token for the wrong-JWT fault is well-formed and names no key of the account."""
    account = Account()
    named = pinata_jwt.claims_of(account.world.foreign_jwt(account.admin.key))["scopedKeyKey"]
    assert isinstance(named, str)
    assert not account.world.keys.get(named)
