"""What the simulated Pinata lets a key do, and which keys it makes: every switch about it."""

from functools import partial

import pytest

from rotator.sandbox.pinata.records import Bearer, ListQuery
from rotator.sandbox.pinata.scopes import RESOURCES, Permissions, Refused
from rotator.sandbox.pinata.switches import EchoOrder, Generation, LowercaseKeyName, NameForm, Policy, Switches
from tests.unit.sandbox.pinata.account import ALL_ENDPOINTS, FILES, LEGACY, V3, V3_PINATA, Account, refusal

ADMIN_BODY = {"keyName": "x", "permissions": {"admin": True}}


@pytest.mark.parametrize(
    ("permissions", "generation", "allowed"),
    [
        (Permissions(admin=True), LEGACY, True),
        (Permissions(admin=True), V3, True),
        (Permissions(resources=("org:write",)), V3, True),
        (Permissions(resources=("org:write",)), V3_PINATA, True),
        (Permissions(resources=("org:write",)), LEGACY, False),
        (Permissions(resources=("org:read",)), V3, False),
        (Permissions(resources=("org:files:write",)), V3, False),
        (Permissions(endpoints=frozenset({"pinning.unpin"})), LEGACY, False),
    ],
)
def test_who_may_manage_keys(permissions: Permissions, generation: Generation, *, allowed: bool) -> None:
    """Create, list and revoke want an admin key on legacy, `org:write` or admin on v3."""
    account = Account()
    caller = Bearer(account.world.seed("caller", permissions).jwt)
    victim = account.create("victim")
    before = account.keys()
    calls = (
        partial(account.world.create, caller, generation, ADMIN_BODY),
        partial(account.world.list_keys, caller, generation, ListQuery()),
        partial(account.world.revoke, caller, generation, victim.key),
    )
    for call in calls:
        if allowed:
            call()
            continue
        with pytest.raises(Refused) as error:
            call()
        assert refusal(error) == (403, "NO_SCOPES_FOUND")
    assert (account.keys() == before) is not allowed
    assert (account.world.keys[victim.key].revoked_at is None) is not allowed


def test_accounts_do_not_see_or_touch_each_other() -> None:
    """An admin lists only its own account, and its revoke of another's key changes nothing."""
    account = Account()
    other = account.world.seed("other", Permissions(admin=True), account="elsewhere")
    page = account.world.list_keys(Bearer(other.jwt), V3, ListQuery())
    assert [record.key for record in page.records] == [other.key]
    account.world.revoke(Bearer(other.jwt), V3, account.admin.key)
    assert account.world.keys[account.admin.key].revoked_at is None


@pytest.mark.parametrize(
    ("resources", "implied", "allowed"),
    [
        (("org:files:read",), False, True),
        (("org:files:write",), False, True),
        (("org:groups:write",), False, False),
        (("org:write",), False, False),
        (("org:write",), True, True),
        (("org:read",), True, True),
    ],
)
def test_u10_who_may_read_files(resources: tuple[str, ...], *, implied: bool, allowed: bool) -> None:
    """Write includes read; `org:*` implies the rest only if switched so."""
    account = Account(Switches(org_scopes_imply_all=implied))
    caller = Bearer(account.world.seed("caller", Permissions(resources=resources)).jwt)
    if allowed:
        account.world.open_resource(caller, "org:files:read")
    else:
        with pytest.raises(Refused) as error:
            account.world.open_resource(caller, "org:files:read")
        assert error.value.status == 401


def test_u10_org_read_implies_no_write() -> None:
    """Even where scopes imply others, reading is not writing."""
    switches = Switches(org_scopes_imply_all=True)
    permissions = Permissions(resources=("org:read",))
    assert not permissions.allow_resource("org:files:write", switches)


def test_u10_org_write_on_legacy_paths() -> None:
    """If switched so, `org:write` is enough for the legacy key endpoints."""
    account = Account(Switches(org_write_covers_legacy=True))
    caller = Bearer(account.world.seed("caller", Permissions(resources=("org:write",))).jwt)
    account.world.create(caller, LEGACY, ADMIN_BODY)
    assert account.names() == ["x", "caller", "managing key"]


def test_the_two_sets_of_scopes_do_not_mix() -> None:
    """A legacy key is refused by v3 files, a v3 key by a legacy endpoint."""
    account = Account()
    legacy = account.create("l", {"endpoints": {"data": {"pinList": True}}}, LEGACY)
    modern = account.create("m", {"resources": ["org:files:read"]})
    account.world.open_endpoint(Bearer(legacy.jwt), "data.pinList")
    account.world.open_resource(Bearer(modern.jwt), "org:files:read")
    with pytest.raises(Refused) as error:
        account.world.open_resource(Bearer(legacy.jwt), "org:files:read")
    assert error.value.status == 401
    with pytest.raises(Refused) as error:
        account.world.open_endpoint(Bearer(modern.jwt), "data.pinList")
    assert refusal(error) == (403, "NO_SCOPES_FOUND")


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        "text",
        {},
        {"permissions": FILES},
        {"keyName": "", "permissions": FILES},
        {"keyName": 1, "permissions": FILES},
        {"keyName": "a", "permissions": None},
        {"keyName": "a", "permissions": {"admin": "yes"}},
        {"keyName": "a", "permissions": {"owner": True}},
        {"keyName": "a", "permissions": {"resources": "org:write"}},
        {"keyName": "a", "permissions": {"resources": ["org:everything"]}},
        {"keyName": "a", "permissions": {"resources": [["org:write"]]}},
        {"keyName": "a", "permissions": {"endpoints": []}},
        {"keyName": "a", "permissions": {"endpoints": {"data": True}}},
        {"keyName": "a", "permissions": {"endpoints": {"data": {"pinList": 1}}}},
        {"keyName": "a", "permissions": {"endpoints": {"data": {"nothing": True}}}},
        {"keyName": "a", "permissions": {"endpoints": {"psa": {"pins": True}}}},
        {"keyName": "a", "permissions": FILES, "maxUses": 0},
        {"keyName": "a", "permissions": FILES, "maxUses": True},
        {"keyName": "a", "permissions": FILES, "maxUses": "2"},
    ],
)
def test_a_bad_create_body_makes_no_key(body: object) -> None:
    """A malformed body is a 400, and nothing is made."""
    account = Account()
    before = account.keys()
    with pytest.raises(Refused) as error:
        account.world.create(account.bearer, V3, body)
    assert refusal(error) == (400, "BAD_REQUEST")
    assert account.keys() == before


def test_resources_are_unknown_to_legacy() -> None:
    """The legacy create knows `admin` and `endpoints` only."""
    account = Account()
    with pytest.raises(Refused) as error:
        account.create("a", FILES, LEGACY)
    assert refusal(error) == (400, "BAD_REQUEST")


def test_every_documented_scope_can_be_asked_for() -> None:
    """All ten legacy endpoints and all ten v3 resources are known."""
    account = Account()
    modern = account.create("m", {"resources": sorted(RESOURCES)})
    legacy = account.create("l", {"endpoints": ALL_ENDPOINTS}, LEGACY)
    assert len(modern.permissions.resources) == 10
    assert len(legacy.permissions.endpoints) == 10


@pytest.mark.parametrize(
    ("rule", "names"),
    [(LowercaseKeyName.ACCEPTED, ["x"]), (LowercaseKeyName.IGNORED, [""]), (LowercaseKeyName.REFUSED, [])],
)
def test_c2_lowercase_key_name(rule: LowercaseKeyName, names: list[str]) -> None:
    """`keyname` is taken, makes a nameless key, or is refused."""
    account = Account(Switches(lowercase_key_name=rule))
    body = {"keyname": "x", "permissions": FILES}
    if names:
        account.world.create(account.bearer, V3, body)
    else:
        with pytest.raises(Refused):
            account.world.create(account.bearer, V3, body)
    assert account.names() == [*names, "managing key"]


@pytest.mark.parametrize("policy", Policy)
@pytest.mark.parametrize("generation", Generation)
def test_c3_permissions_missing(policy: Policy, generation: Generation) -> None:
    """Legacy requires `permissions`; v3 may make a key that is allowed nothing."""
    account = Account(Switches(permissions_missing=policy))
    if policy is Policy.ACCEPTED and generation is not LEGACY:
        record = account.world.create(account.bearer, generation, {"keyName": "a"})
        assert record.permissions == Permissions()
    else:
        with pytest.raises(Refused) as error:
            account.world.create(account.bearer, generation, {"keyName": "a"})
        assert refusal(error) == (400, "BAD_REQUEST")


@pytest.mark.parametrize("honoured", [True, False])
def test_c3_max_uses_on_v3(*, honoured: bool) -> None:
    """V3 honours `maxUses` or takes it without effect; legacy always honours it."""
    account = Account(Switches(max_uses_on_v3=honoured))
    assert account.create("a", maxUses=2).max_uses == (2 if honoured else None)
    assert account.create("b", {"admin": True}, LEGACY, maxUses=2).max_uses == 2


@pytest.mark.parametrize(
    ("switches", "permissions"),
    [
        (Switches(admin_with_endpoints=Policy.REFUSED), {"admin": False, "endpoints": ALL_ENDPOINTS}),
        (Switches(partial_endpoints=Policy.REFUSED), {"endpoints": {"data": {"pinList": True}}}),
        (Switches(nothing_allowed=Policy.REFUSED), {}),
        (Switches(nothing_allowed=Policy.REFUSED), {"admin": False}),
        (Switches(nothing_allowed=Policy.REFUSED), {"endpoints": {"data": {"pinList": False}}}),
        (
            Switches(mixed_scopes=Policy.REFUSED),
            {"endpoints": {"data": {"pinList": True}}, "resources": ["org:files:read"]},
        ),
    ],
)
def test_c4_u9_combinations_of_permissions(switches: Switches, permissions: dict[str, object]) -> None:
    """Each doubtful combination is refused or accepted, as its switch says."""
    with pytest.raises(Refused) as error:
        Account(switches).create("a", permissions)
    assert refusal(error) == (400, "BAD_REQUEST")
    lenient = Switches(
        admin_with_endpoints=Policy.ACCEPTED,
        partial_endpoints=Policy.ACCEPTED,
        nothing_allowed=Policy.ACCEPTED,
        mixed_scopes=Policy.ACCEPTED,
    )
    assert Account(lenient).create("a", permissions).name == "a"


def test_c4_all_endpoints_named_is_not_partial() -> None:
    """The strict rule about partial endpoints lets a full set pass, true or false."""
    account = Account(Switches(partial_endpoints=Policy.REFUSED))
    endpoints = {**ALL_ENDPOINTS, "data": {"pinList": False, "userPinnedDataTotal": True}}
    record = account.create("a", {"endpoints": endpoints}, LEGACY)
    assert len(record.permissions.endpoints) == 9


@pytest.mark.parametrize(
    ("field", "order", "expected"),
    [
        (None, EchoOrder.AS_SENT, {"admin": False}),
        ("resources", EchoOrder.AS_SENT, {"resources": ["org:read", "org:files:write"]}),
        ("scopes", EchoOrder.SORTED, {"scopes": ["org:files:write", "org:read"]}),
        ("resources", EchoOrder.REVERSED, {"resources": ["org:files:write", "org:read"]}),
    ],
)
def test_u8_echo_of_resources(field: str | None, order: EchoOrder, expected: dict[str, object]) -> None:
    """The list echoes resources not at all, or in any field and order."""
    switches = Switches(resources_echo=field, resources_echo_order=order)
    permissions = Permissions(resources=("org:read", "org:files:write"))
    assert permissions.echo(switches) == expected | {"admin": False}


def test_echo_of_admin_and_endpoints() -> None:
    """Admin is echoed alone, endpoints only where they are set."""
    account = Account()
    endpoints = {"data": {"pinList": False}, "pinning": {"unpin": True}}
    record = account.create("l", {"endpoints": endpoints}, LEGACY)
    expected = {"endpoints": {"pinning": {"unpin": True}}, "admin": False}
    assert record.permissions.echo(Switches()) == expected
    assert account.admin.permissions.echo(Switches()) == {"admin": True}


@pytest.mark.parametrize("policy", Policy)
def test_u12_duplicate_names(policy: Policy) -> None:
    """A name in use may be used again, or not before its key is revoked."""
    account = Account(Switches(duplicate_names=policy))
    first = account.create()
    if policy is Policy.REFUSED:
        with pytest.raises(Refused) as error:
            account.create()
        assert refusal(error) == (400, "BAD_REQUEST")
        account.revoke(first.key)
    account.create()
    assert account.names() == ["a", "a", "managing key"]


def test_u12_limits_on_names_and_number() -> None:
    """Long names, odd characters and too many live keys are each a 400."""
    account = Account(Switches(name_length_max=5, name_pattern=r"[a-z]+", live_keys_max=2))
    for name in ("abcdef", "a/b", "ab\n"):
        with pytest.raises(Refused) as error:
            account.create(name)
        assert refusal(error) == (400, "BAD_REQUEST")
    record = account.create("abcde")
    with pytest.raises(Refused):
        account.create("b")
    account.revoke(record.key)
    account.create("b")
    assert len(account.keys()) == 3


@pytest.mark.parametrize(
    ("switches", "kept"),
    [
        (Switches(), " Prod/Uploader "),
        (Switches(name_cut_at=6), " Prod/"),
        (Switches(name_cut_at=255), " Prod/Uploader "),
        (Switches(name_form=NameForm.LOWER_CASED), " prod/uploader "),
        (Switches(name_form=NameForm.UNSPACED), "Prod/Uploader"),
    ],
)
def test_u15_what_is_kept_of_a_name(switches: Switches, kept: str) -> None:
    """A name is listed as it was sent, cut off, in lower case, or without the space around it."""
    account = Account(switches)
    assert account.create(" Prod/Uploader ").name == kept
    assert account.names() == [kept, "managing key"]
