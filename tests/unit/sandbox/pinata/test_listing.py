"""The simulated Pinata's lists: filters, orders, pages, and every switch about them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rotator.sandbox.pinata.records import ListQuery
from rotator.sandbox.pinata.switches import (
    CountOf,
    Delay,
    Generation,
    Listed,
    MaxUsesSpelling,
    Order,
    RevokedFilter,
    Switches,
)
from rotator.sandbox.pinata.wire import item
from tests.unit.sandbox.pinata.account import LEGACY, V3, Account


@pytest.mark.parametrize("listed", [True, False])
def test_c8_secret_in_list_items(*, listed: bool) -> None:
    """A list item has the secret only if switched so, and the JWT never."""
    account = Account()
    shown = item(account.create(), "user", Switches(secret_listed=listed))
    assert ("secret" in shown) is listed
    assert "JWT" not in shown


@pytest.mark.parametrize(
    ("spelling", "expected"),
    [
        (MaxUsesSpelling.NULL, None),
        (MaxUsesSpelling.MISSING, "missing"),
        (MaxUsesSpelling.ZERO, 0),
        (MaxUsesSpelling.MINUS_ONE, -1),
    ],
)
def test_c9_max_uses_of_an_unlimited_key(spelling: MaxUsesSpelling, expected: object) -> None:
    """No limit has four spellings; a limit is a number in all of them."""
    account = Account(Switches(unlimited_max_uses=spelling))
    switches = account.world.switches
    assert item(account.create(), "user", switches).get("max_uses", "missing") == expected
    assert item(account.create(maxUses=3), "user", switches)["max_uses"] == 3


def test_u3_the_list_lags_behind() -> None:
    """A new key is missing from the list, a revoked one shown as live, until the delay is over."""
    account = Account(Switches(listing=Delay(3)))
    record = account.create()
    assert account.names() == ["managing key"]
    account.clock.now += 3
    assert account.names() == ["a", "managing key"]
    account.revoke(record.key)
    assert account.names(ListQuery(revoked=True)) == []
    assert account.names(ListQuery(revoked=False)) == ["a", "managing key"]
    account.clock.now += 3
    assert account.names(ListQuery(revoked=True)) == ["a"]


@pytest.mark.parametrize(("rule", "counts"), [(CountOf.TOTAL, [13, 13]), (CountOf.PAGE, [10, 3])])
def test_u5_count(rule: CountOf, counts: list[int]) -> None:
    """`count` is the total on every page, or the length of the page."""
    account = Account(Switches(count_of=rule))
    for number in range(12):
        account.create(f"n{number}")
    pages = [account.world.list_keys(account.bearer, V3, ListQuery(offset=o)) for o in (0, 10)]
    assert [page.count for page in pages] == counts


@pytest.mark.parametrize(
    ("order", "names"),
    [
        (Order.NEWEST_FIRST, ["a", "c", "b", "managing key"]),
        (Order.OLDEST_FIRST, ["managing key", "b", "c", "a"]),
        (Order.LAST_UPDATED_FIRST, ["b", "a", "c", "managing key"]),
        (Order.BY_NAME, ["a", "b", "c", "managing key"]),
    ],
)
def test_u6_orders(order: Order, names: list[str]) -> None:
    """Keys made as b, c, a, of which b is revoked last, come in the switched order."""
    account = Account(Switches(order=order))
    records = []
    for name in ("b", "c", "a"):
        account.clock.now += 1
        records.append(account.create(name))
    account.clock.now += 1
    account.revoke(records[0].key)
    assert account.names() == names


def test_u6_order_by_key() -> None:
    """The order by key is by the key itself."""
    account = Account(Switches(order=Order.BY_KEY))
    keys = sorted([account.create(name).key for name in "abcde"] + [account.admin.key])
    page = account.world.list_keys(account.bearer, V3, ListQuery())
    assert [record.key for record in page.records] == keys


def test_u6_an_unstable_order_changes_from_call_to_call() -> None:
    """The same keys come in another order in most of ten calls."""
    account = Account(Switches(order=Order.UNSTABLE))
    for name in "abcdef":
        account.create(name)
    orders = {tuple(account.names()) for _ in range(10)}
    assert len(orders) > 5
    assert {frozenset(order) for order in orders} == {frozenset([*"abcdef", "managing key"])}


def test_u6_rows_shift_between_pages() -> None:
    """A create between two pages repeats a row, a revoke skips one."""
    newest = Account(Switches(page_size=2, order=Order.NEWEST_FIRST))
    for name in "abc":
        newest.create(name)
    first = newest.names()
    newest.create("d")
    assert (first, newest.names(ListQuery(offset=2))) == (["c", "b"], ["b", "a"])
    oldest = Account(Switches(page_size=2, order=Order.OLDEST_FIRST, listed_by_default=Listed.ACTIVE_ONLY))
    records = [oldest.create(name) for name in "abc"]
    first = oldest.names()
    oldest.revoke(records[0].key)
    assert (first, oldest.names(ListQuery(offset=2))) == (["managing key", "a"], ["c"])


@given(
    keys=st.integers(0, 25),
    page_size=st.integers(1, 12),
    order=st.sampled_from([order for order in Order if order is not Order.UNSTABLE]),
    revoked=st.sets(st.integers(0, 24)),
)
def test_u6_paging_gives_every_key_exactly_once(keys: int, page_size: int, order: Order, revoked: set[int]) -> None:
    """While nothing shifts, pages up to an empty one hold every key once."""
    account = Account(Switches(page_size=page_size, order=order))
    made = [account.create(f"n{number}").key for number in range(keys)]
    for number in revoked & set(range(keys)):
        account.revoke(made[number])
    seen: list[str] = []
    while page := account.world.list_keys(account.bearer, V3, ListQuery(len(seen))).records:
        assert len(page) <= page_size
        seen += [record.key for record in page]
    assert sorted(seen) == sorted([*made, account.admin.key])


@pytest.mark.parametrize("generation", Generation)
@pytest.mark.parametrize(("rule", "names"), [(Listed.ALL, {"a", "b"}), (Listed.ACTIVE_ONLY, {"b"})])
def test_u7_revoked_left_out(generation: Generation, rule: Listed, names: set[str]) -> None:
    """Without the filter the list holds all keys or the active ones."""
    account = Account(Switches(listed_by_default=rule))
    account.revoke(account.create("a").key)
    account.create("b")
    assert set(account.names(generation=generation)) == names | {"managing key"}


@pytest.mark.parametrize(
    ("rule", "dead", "live"),
    [
        (RevokedFilter.OBEYED, ["a"], ["b", "managing key"]),
        (RevokedFilter.IGNORED, ["b", "a", "managing key"], ["b", "a", "managing key"]),
        (RevokedFilter.INVERTED, ["b", "managing key"], ["a"]),
    ],
)
def test_u16_the_revoked_filter(rule: RevokedFilter, dead: list[str], live: list[str]) -> None:
    """The filter selects what it says, everything, or the opposite; left out it selects nothing."""
    account = Account(Switches(revoked_filter=rule))
    account.revoke(account.create("a").key)
    account.create("b")
    assert account.names(ListQuery(revoked=True)) == dead
    assert account.names(ListQuery(revoked=False)) == live
    assert account.names() == ["b", "a", "managing key"]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        (ListQuery(name="UPLOAD"), ["uploader-2", "Uploader"]),
        (ListQuery(name="uploader"), ["uploader-2", "Uploader"]),
        (ListQuery(name="uploader-2"), ["uploader-2"]),
        (ListQuery(name="up_oader"), ["uploader-2", "Uploader"]),
        (ListQuery(name="up%-2"), ["uploader-2"]),
        (ListQuery(name="up\\%"), ["up%"]),
        (ListQuery(name="."), []),
        (ListQuery(name=""), ["up%", "limited", "uploader-2", "Uploader", "managing key"]),
        (ListQuery(limited_use=True), ["limited"]),
        (ListQuery(limited_use=False), ["up%", "uploader-2", "Uploader", "managing key"]),
        (ListQuery(limited_use=True, exhausted=True), []),
        (ListQuery(limited_use=True, exhausted=False), ["limited"]),
        (ListQuery(exhausted=True), ["up%", "limited", "uploader-2", "Uploader", "managing key"]),
    ],
)
def test_list_filters(query: ListQuery, names: list[str]) -> None:
    """The name is an ILIKE; `exhausted` counts only beside `limitedUse`; legacy ignores all."""
    account = Account()
    for name in ("Uploader", "uploader-2"):
        account.create(name)
    account.create("limited", maxUses=1)
    account.create("up%")
    assert account.names(query) == names
    assert len(account.names(query, LEGACY)) == 5
