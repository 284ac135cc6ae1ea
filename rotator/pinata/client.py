"""Pinata's API keys: making, listing, proving and revoking them.

It raises nothing but our own errors, and none inside an `except` block, so that none drags a library's exception along.
A create is sent once. It makes no decision about keys, and logs nothing.
"""

import re
from collections.abc import Callable, Iterator
from copy import copy
from datetime import datetime
from http import HTTPStatus
from itertools import chain, islice, repeat
from typing import TypeVar

import httpx

from rotator.model.credential import Credential, Form, Sensitive, Token
from rotator.model.errors import (
    AccountTooLargeError,
    ConfigError,
    CreateOutcomeUnknownError,
    DeadlineExceededError,
    KeyRejectedError,
    ProviderContractError,
    RotatorError,
    SecretValueError,
)
from rotator.model.jwt import token_fault
from rotator.model.observed import KeyState, ProviderKey
from rotator.model.payload import credential
from rotator.model.ports import AccountKeys, Authentication, Deadline, ProbeAnswer
from rotator.model.secret import Permissions
from rotator.pinata.account import Account, walked
from rotator.pinata.bodies import KeyPage, ListedKey, Misfit, is_object, key_page, minted, reason
from rotator.pinata.failures import create_failure, failure
from rotator.pinata.paths import TEST_AUTHENTICATION, paths_of
from rotator.pinata.requests import Answer, Request, Requests
from rotator.pinata.transport import RateLimiter

PAGES_MAX = 1000
PAGES_NEAR_MAX = 10
"""So many pages are looked through for a key that is not listed by its own name."""
LIST_READS_MAX = 3
"""How often a list is read that changes while it is paged through."""
ABSENT_LOOKS = 2
"""So many lists in a row must not show a key before its absence counts."""
_FAIR_S = 60.0
"""With less time than this, a list that was not read to its end does not count as too long."""
_POLL_PAUSES_S = (0.5, 0.5, 1.0)
_POLL_PAUSE_MAX_S = 2.0
_LAST_LOOK_S = 0.05
"""The last look comes so long before the end of the time, however long its pause would have been."""
_PROBE = re.compile(r"/(?!/)[!-~]{0,1023}")

T = TypeVar("T")


class PinataClient:
    """The provider of keys. Safe for threads, as its httpx client and its limiter are."""

    def __init__(  # noqa: PLR0913 - one call, in wiring, by name
        self,
        *,
        api_url: str,
        api: str,
        token: Sensitive,
        client: httpx.Client,
        limiter: RateLimiter,
        monotonic: Callable[[], float],
        sleep: Callable[[float], None],
    ) -> None:
        """Check what can be checked without a call.

        `token` is the JWT of the managing key. `limiter` is shared by everything in this process that uses the account.
        Raises ConfigError if the token cannot be sent, or `api` names no set of paths.
        """
        self._requests = Requests(api_url.rstrip("/"), client, limiter, sleep)
        self._paths = paths_of(api)
        self._monotonic = monotonic
        self._sleep = sleep
        self._work_with(token)

    def _work_with(self, token: Sensitive) -> None:
        self._token, self._managing_key_id = Token(_checked(token)), _key_id_of(token)
        self._account = Account(self._whole_list, self._monotonic)

    @property
    def managing_key_id(self) -> str | None:
        """The id of the key we ourselves use, if its token tells."""
        return self._managing_key_id

    def acting_as(self, managing: Credential) -> "PinataClient":
        """Return this client with another managing key; the limiter is the same."""
        if managing.jwt is None:
            raise KeyRejectedError("a managing key needs a token, and the new value holds none")
        other = copy(self)
        other._work_with(managing.jwt)  # noqa: SLF001 - another of this very class
        return other

    @property
    def managing_key_expires_at(self) -> datetime | None:
        """When that key's token expires; None if its token does not tell."""
        return credential(self._token.jwt, key_id=None, secret=None).expires_at if self._managing_key_id else None

    def list_keys(self, prefix: str, expected: frozenset[str], deadline: Deadline) -> tuple[ProviderKey, ...]:
        """Return every live key whose name begins with exactly `prefix`, and revoked ones as far as they come along.

        The `revoked` filter keeps the number of pages from growing with the years; whoever uses the answer looks at
        each state all the same. Pinata's name filter is a case-insensitive "contains" and only saves pages, too. A list
        has neither a documented order nor a snapshot; if it shifted while it was read, further readings add to it.
        Legacy paths have no filters: there one reading of the account is shared.
        """
        if self._paths.is_legacy:
            rows = self._account.rows(prefix, deadline)
        else:
            rows = self._rows(self._paths.filters(prefix, revoked=False), expected, deadline)
        return tuple(_readable(row) for row in rows if row.name.startswith(prefix))

    def list_revoked(self, part: str, deadline: Deadline) -> tuple[ProviderKey, ...]:
        """Return the revoked keys whose name contains `part`; live ones too if the filter is not obeyed."""
        if self._paths.is_legacy:
            return tuple(_readable(row) for row in self._account.rows(part, deadline))
        pages = self._pages(self._paths.filters(part, revoked=True), deadline, lambda: False)
        return tuple(_readable(row) for page in pages for row in page.rows if part in row.name)

    def account_keys(self, *, revoked: bool, deadline: Deadline) -> AccountKeys:
        """Return the live or the revoked keys of the whole account, everybody's; legacy paths list both as live."""
        if revoked and self._paths.is_legacy:
            return AccountKeys((), 0, is_whole=True)
        return walked(self._pages(self._paths.filters("", revoked=revoked), deadline, lambda: False), PAGES_MAX)

    def await_listed(self, key_id: str, name: str, within_s: float, deadline: Deadline) -> ProviderKey | None:
        """Look for a key that was just made until it shows under its name, or time is up; then under any of ours."""
        filters = self._paths.filters(name, revoked=False)
        for found in self._polled(lambda: self._row_of(key_id, filters, PAGES_MAX, deadline), within_s, deadline):
            if found is not None:
                return found
        owner = name.partition("/")[0]
        return self._row_of(key_id, self._paths.filters(owner, revoked=False), PAGES_NEAR_MAX, deadline)

    def create_key(self, name: str, permissions: Permissions, max_uses: int | None, deadline: Deadline) -> Credential:
        """Mint a key with one request, which is never repeated.

        A key that comes without a usable token is revoked again at once, as well as that goes.
        """
        request = self._paths.create_request(name, permissions, max_uses)
        reply = self._requests.once(request, self._token, deadline)
        self._account.made(name)
        if not isinstance(reply, Answer) or not reply.ok:
            raise create_failure(name, reply)
        new = minted(reply.body)
        if isinstance(new, Credential):
            return new
        fate = self._fate_of_unusable(new.key_id, deadline)
        raise CreateOutcomeUnknownError(
            f"Pinata's answer {reply.status} to the create of {name} gives no usable key: {new.detail}; {fate}"
        )

    def authenticate(self, form: Form, deadline: Deadline) -> Authentication:
        """Ask testAuthentication with one form of a credential, once but for transient faults.

        None of its error answers is documented. 401 and 403 are a refusal, and the two codes are those of live answers.
        """
        reply = self._requests.repeated(TEST_AUTHENTICATION, form, deadline)
        if isinstance(reply, Answer):
            code = "" if reply.ok else reason(reply.body)
            if reply.status == HTTPStatus.OK and is_object(reply.body):
                return Authentication.ACCEPTED
            if reply.status == HTTPStatus.FORBIDDEN and code == "NO_SCOPES_FOUND":
                return Authentication.SCOPELESS
            unread = reply.status == HTTPStatus.BAD_REQUEST and code == "KEYS_MUST_BE_STRINGS"
            if reply.denied or unread:
                return Authentication.REFUSED
        raise failure("testAuthentication gave no verdict", reply)

    def await_authentication(
        self, form: Form, wanted: frozenset[Authentication], within_s: float, deadline: Deadline
    ) -> Authentication:
        """Ask testAuthentication until the answer is a wanted one or time is up.

        After an unwanted answer two wanted ones in a row are needed, else it is returned: propagation flaps.
        """
        answers = self._polled(lambda: self.authenticate(form, deadline), within_s, deadline)
        first = next(answers)
        if first in wanted:
            return first
        unwanted, in_a_row = first, 0
        for answer in answers:
            if answer not in wanted:
                unwanted, in_a_row = answer, 0
            elif in_a_row:
                return answer
            else:
                in_a_row = 1
        return unwanted

    def await_revoked(self, key_id: str, name: str, within_s: float, deadline: Deadline) -> ProviderKey | None:
        """Look for a key until it shows as revoked, or twice not at all, or time is up.

        None means that the list does not show it: some hold active keys only.
        """
        seen: ProviderKey | None = None
        absent = 0
        for seen in self._polled(lambda: self._find(key_id, name, deadline), within_s, deadline):
            absent = absent + 1 if seen is None else 0
            if absent == ABSENT_LOOKS or (seen is not None and seen.state is KeyState.REVOKED):
                break
        return seen

    def probe(self, form: Form, path: str, deadline: Deadline) -> ProbeAnswer:
        """GET a path with a credential: ALLOWED for 2xx, FORBIDDEN for 401 and 403.

        Raises ConfigError if it is not a path of visible ASCII on Pinata's own host.
        """
        if not _PROBE.fullmatch(path):
            raise ConfigError("a probe is a path that begins with one slash, in visible ASCII")
        reply = self._requests.repeated(Request("GET", path), form, deadline)
        if isinstance(reply, Answer) and reply.ok:
            return ProbeAnswer.ALLOWED
        if isinstance(reply, Answer) and reply.denied:
            return ProbeAnswer.FORBIDDEN
        raise failure("the probe gave no verdict", reply)

    def revoke_key(self, key_id: str, deadline: Deadline) -> None:
        """Revoke a key. The answer proves nothing: Pinata says "Revoked" to an unknown key too."""
        request = self._paths.revoke_request(key_id)
        reply = self._requests.repeated(request, self._token, deadline)
        self._account.revoked(key_id)
        if isinstance(reply, Answer):
            gone = reply.status == HTTPStatus.NOT_FOUND and not self._paths.is_legacy
            if reply.ok or gone:
                return
        raise failure(f"key {key_id} was perhaps not revoked", reply)

    def _rows(
        self, filters: dict[str, str], expected: frozenset[str] | None, deadline: Deadline
    ) -> tuple[ListedKey, ...]:
        """Return each key of a list once, as revoked if one of its rows says so; None expects more until none comes."""
        found: dict[str, ListedKey] = {}
        for _ in range(LIST_READS_MAX):
            pages: list[KeyPage] = []
            for page in self._pages(filters, deadline, lambda: expected is None or not expected <= found.keys()):
                pages.append(page)
                for row in page.rows:
                    if row.key_id not in found or (row.key and row.key.state is KeyState.REVOKED):
                        found[row.key_id] = row
            if not _shifted(pages):
                break
        return tuple(found.values())

    def _whole_list(self, deadline: Deadline) -> tuple[ListedKey, ...]:
        """Return every key of the account, live or revoked. Raises AccountTooLargeError if time does not suffice."""
        had_s = deadline.remaining_s()
        try:
            return self._rows({}, None, deadline)
        except DeadlineExceededError:
            if had_s < _FAIR_S:
                raise
        raise AccountTooLargeError(
            f"the legacy API lists the whole account only, and {had_s:.0f} s did not suffice to read it to its end "
            "within the budget of requests; nothing was changed"
        )

    def _pages(self, filters: dict[str, str], deadline: Deadline, is_short: Callable[[], bool]) -> Iterator[KeyPage]:
        """Yield the pages of the key list; each is asked for once the one before was used.

        A page that looks like the last is believed unless keys are missing that must be there: then an empty one is it.
        """
        received = 0
        for _ in range(PAGES_MAX):
            request = self._paths.list_request(filters, received)
            reply = self._requests.repeated(request, self._token, deadline)
            if not isinstance(reply, Answer) or not reply.ok:
                raise failure("Pinata did not list its keys", reply)
            page = key_page(reply.body)
            if isinstance(page, Misfit):
                raise ProviderContractError(f"Pinata's key list is unreadable: {page.detail}")
            yield page
            received += len(page.rows)
            if not page.rows or (page.is_last(received) and not is_short()):
                return
        raise ProviderContractError(f"Pinata's key list does not end after {PAGES_MAX} pages")

    def _find(self, key_id: str, name: str, deadline: Deadline) -> ProviderKey | None:
        """Look a key up, among the revoked ones first: a list without a filter may hide them."""
        both = [self._paths.filters(name, revoked=revoked) for revoked in (True, False)]
        searches = both[:1] if self._paths.is_legacy else both
        found = (self._row_of(key_id, filters, PAGES_MAX, deadline) for filters in searches)
        return next((key for key in found if key is not None), None)

    def _row_of(self, key_id: str, filters: dict[str, str], pages_max: int, deadline: Deadline) -> ProviderKey | None:
        pages = islice(self._pages(filters, deadline, lambda: False), pages_max)
        return next((_readable(row) for page in pages for row in page.rows if row.key_id == key_id), None)

    def _polled(self, ask: Callable[[], T], within_s: float, deadline: Deadline) -> Iterator[T]:
        """Yield answers, the first at once, the others after longer and longer pauses."""
        until = self._monotonic() + within_s
        yield ask()
        for pause in chain(_POLL_PAUSES_S, repeat(_POLL_PAUSE_MAX_S)):
            left_s = min(until - self._monotonic(), deadline.remaining_s()) - _LAST_LOOK_S
            if left_s <= 0:
                return
            self._sleep(min(pause, left_s))
            try:
                answer = ask()
            except DeadlineExceededError:
                return
            yield answer
            if pause >= left_s:
                return

    def _fate_of_unusable(self, key_id: str | None, deadline: Deadline) -> str:
        """Revoke a key that nobody can use, as well as that goes, and say what came of it."""
        if key_id is None:
            return "if there is a key, it lives on"
        if key_id == self._managing_key_id:
            return "it names the managing key, which was left alone"
        try:
            self.revoke_key(key_id, deadline)
        except RotatorError:
            return f"key {key_id} could not be revoked and may live on"
        return f"Pinata was asked to revoke key {key_id}"


def _checked(token: Sensitive) -> Sensitive:
    if fault := token_fault(token):
        raise ConfigError(f"the managing token {fault}")
    return token


def _key_id_of(token: Sensitive) -> str | None:
    try:
        return credential(token, key_id=None, secret=None).key_id
    except SecretValueError:
        return None


def _readable(row: ListedKey) -> ProviderKey:
    if row.key is None:
        raise ProviderContractError(f"Pinata's key list has an unreadable key of ours: {row.name}")
    return row.key


def _shifted(pages: list[KeyPage]) -> bool:
    """Tell whether the list changed while it was read: rows came twice, or the count changed."""
    ids = [row.key_id for page in pages for row in page.rows]
    totals = {page.count for page in pages if page.count is not None and page.count >= len(ids)}
    return len(set(ids)) < len(ids) or len(totals) > 1
