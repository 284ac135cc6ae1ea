"""The value of a secret: reading the credential inside it, and composing the next one."""

import base64
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rotator.model.credential import Credential, Form, HeaderPair, Sensitive, Token
from rotator.model.errors import SecretValueError
from rotator.model.payload import (
    VALUE_MAX_BYTES,
    Blank,
    check_fits,
    compose,
    credential,
    credential_in,
    managing_token,
    read_value,
)
from rotator.model.secret import BareJwt, JsonFields

DEFAULT = JsonFields("JWT", "pinata_api_key", "pinata_api_secret", "default")
CONFIGURED = JsonFields("token", "id", "shared_secret", "config")
TOKEN_ONLY = JsonFields("JWT", None, None, "config")
CANARY = "canaryd41d8cd98f"


def a_jwt(**claims: object) -> str:
    """Return a token with claims."""
    parts = ({"alg": "HS256"}, claims)
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in parts]
    return ".".join([*(part.decode() for part in encoded), "c2lnbmF0dXJl"])


JWT = a_jwt(scopedKeyKey="key-1", scopedKeySecret=CANARY)
NEW_JWT = a_jwt(scopedKeyKey="key-2", exp=1_900_000_000)
NEW = Credential("key-2", Sensitive(NEW_JWT), Sensitive("new secret"), None, (Token(Sensitive(NEW_JWT)),))


def stored(**fields: object) -> Sensitive:
    """Return a stored JSON value."""
    return Sensitive(json.dumps(fields))


FULL = stored(JWT=JWT, pinata_api_key="key-1", pinata_api_secret="old", gateway="g", n=[1, None])


def test_default_fields_are_read() -> None:
    """A value with all three fields gives the whole credential."""
    held = credential_in(FULL, DEFAULT)
    assert (held.key_id, held.jwt, held.secret) == ("key-1", Sensitive(JWT), Sensitive("old"))
    assert held.expires_at is None


def test_default_fields_may_be_missing() -> None:
    """Of the default fields only the token is needed."""
    held = credential_in(stored(JWT=JWT), DEFAULT)
    assert (held.key_id, held.secret) == ("key-1", None)


def test_bare_token_is_read() -> None:
    """A bare token names its key by itself."""
    assert credential_in(Sensitive(JWT), BareJwt()).key_id == "key-1"


def test_configured_fields_are_read() -> None:
    """Fields are called what the configuration says."""
    held = credential_in(stored(token=JWT, id="key-1", shared_secret="s"), CONFIGURED)
    assert (held.key_id, held.secret) == ("key-1", Sensitive("s"))


PAIR_KEY, PAIR_SECRET = "0a" * 10, "0b" * 32
PAIR = JsonFields(None, "pinata_api_key", "pinata_api_secret")


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("", DEFAULT),
        (" \n", BareJwt()),
        ("{}", DEFAULT),
        ('{"": ""}', DEFAULT),
        ('{"JWT": ""}', DEFAULT),
        ('{"JWT": null, "gateway": "g"}', DEFAULT),
        ('{"JWT": "opaque"}', DEFAULT),
        ('{"JWT": "CHANGEME", "pinata_api_key": "CHANGEME", "pinata_api_secret": "CHANGEME"}', DEFAULT),
        (json.dumps({"JWT": JWT.split(".")[0], "pinata_api_key": PAIR_KEY}), DEFAULT),
        ('{"pinata_api_key": "", "pinata_api_secret": ""}', PAIR),
        (json.dumps({"pinata_api_key": PAIR_KEY, "pinata_api_secret": "TODO"}), PAIR),
    ],
)
def test_placeholders_are_ours_to_fill(text: str, shape: JsonFields | BareJwt) -> None:
    """A value that holds no credential, and nothing of anybody else's, is filled with every field of ours."""
    assert read_value(Sensitive(text), shape) == Blank()
    filled = compose(PAIRED, shape, Sensitive(text))
    assert credential_in(filled, shape).key_id == PAIR_KEY
    if isinstance(shape, JsonFields):
        assert set(shape.names) <= json.loads(filled.reveal()).keys()
        assert ("gateway" in filled.reveal()) is ("gateway" in text)


@pytest.mark.parametrize("text", ['{"other": "x"}', "CHANGEME", "[]", '{"DSN": "postgres://u:p@h/d", "x": ""}'])
def test_values_that_may_be_somebody_elses_are_not_filled(text: str) -> None:
    """What is not our JSON is left alone, until a person says that it may be replaced."""
    with pytest.raises(SecretValueError):
        read_value(Sensitive(text), DEFAULT)
    with pytest.raises(SecretValueError):
        compose(PAIRED, DEFAULT, Sensitive(text))
    replaced = compose(PAIRED, DEFAULT, Sensitive(text), replacing=True)
    assert credential_in(replaced, DEFAULT).key_id == PAIR_KEY
    assert ("postgres" in replaced.reveal()) is ("postgres" in text)


PAIRED_JWT = a_jwt(scopedKeyKey=PAIR_KEY, scopedKeySecret=PAIR_SECRET)
PAIRED = Credential(PAIR_KEY, Sensitive(PAIRED_JWT), Sensitive(PAIR_SECRET), None, (Token(Sensitive(PAIRED_JWT)),))
ITSELF = HeaderPair(PAIR_KEY, Sensitive(PAIR_SECRET))


@pytest.mark.parametrize(
    ("fields", "shape", "forms"),
    [
        ({"JWT": PAIRED_JWT}, DEFAULT, (Token(Sensitive(PAIRED_JWT)),)),
        (
            {"JWT": PAIRED_JWT, "pinata_api_key": PAIR_KEY, "pinata_api_secret": PAIR_SECRET},
            DEFAULT,
            (Token(Sensitive(PAIRED_JWT)),),
        ),
        (
            {"JWT": PAIRED_JWT, "pinata_api_key": PAIR_KEY, "pinata_api_secret": "1" * 64},
            DEFAULT,
            (Token(Sensitive(PAIRED_JWT)), HeaderPair(PAIR_KEY, Sensitive("1" * 64))),
        ),
        (
            {"JWT": "cut", "pinata_api_key": PAIR_KEY, "pinata_api_secret": PAIR_SECRET},
            DEFAULT,
            (Token(Sensitive("cut")), ITSELF),
        ),
        ({"pinata_api_key": PAIR_KEY, "pinata_api_secret": PAIR_SECRET}, PAIR, (ITSELF,)),
        ({"JWT": PAIRED_JWT, "pinata_api_key": "", "pinata_api_secret": ""}, DEFAULT, (Token(Sensitive(PAIRED_JWT)),)),
    ],
    ids=["token", "claimed pair", "another pair", "damaged token", "pair alone", "empty pair"],
)
def test_each_form_is_to_be_asked(fields: dict[str, str], shape: JsonFields, forms: tuple[Form, ...]) -> None:
    """A credential is proved in each form that consumers may take from the value."""
    found = read_value(stored(**fields), shape)
    assert isinstance(found, Credential)
    assert (found.key_id, found.forms) == (PAIR_KEY, forms)


@pytest.mark.parametrize(
    ("text", "shape", "problem"),
    [
        pytest.param("{", DEFAULT, "is not JSON", id="cut off"),
        pytest.param(JWT, DEFAULT, 'set `format = "jwt"`', id="a bare token"),
        pytest.param("[1]", DEFAULT, "not an object", id="a list"),
        pytest.param("[" * 100_000, DEFAULT, "too deeply", id="deep"),
        pytest.param('{"JWT": 1}', DEFAULT, "not a text", id="a number"),
        pytest.param('{"JWT": "a.b.c\\n"}', DEFAULT, "ends with a newline", id="a newline"),
        pytest.param(json.dumps({"JWT": JWT, "pinata_api_key": "0" * 20}), DEFAULT, "two different", id="mix"),
        pytest.param(json.dumps({"JWT": JWT, "pinata_api_key": 5}), DEFAULT, "not a text", id="a key number"),
        pytest.param(json.dumps({"token": JWT}), CONFIGURED, "no field `id`", id="configured key"),
        pytest.param(
            json.dumps({"token": JWT, "id": "key-1"}), CONFIGURED, "no field `shared_secret`", id="configured secret"
        ),
        pytest.param('{"JWT": "x"}', BareJwt(), "bare token", id="JSON for a bare token"),
        pytest.param(f"{JWT}\n", BareJwt(), "token ends with a newline", id="a bare token with a newline"),
        pytest.param(f"Bearer {JWT}", BareJwt(), "begins with `Bearer `", id="a header"),
        pytest.param(f'"{JWT}"', BareJwt(), "is in quotes", id="a bare token in quotes"),
        pytest.param(JWT.replace(".", "\n.", 1), BareJwt(), "white space inside", id="a wrapped token"),
        pytest.param(f"'bearer {JWT}'\r\n", BareJwt(), "newline.* and is in quotes and begins with", id="all"),
        pytest.param("opaque", BareJwt(), "its token is not a JWT: that has three parts", id="no JWT"),
        pytest.param("ab" * 10, BareJwt(), "may be the id of a key", id="an id for a token"),
        pytest.param("ab" * 32, BareJwt(), "may be the secret of a key", id="a secret for a token"),
        pytest.param(f'"{JWT}"', DEFAULT, 'set `format = "jwt"`, and mend the token, .* quotes', id="a JSON text"),
        pytest.param(f"Bearer {JWT}\n", DEFAULT, "bare token.* and begins with `Bearer `", id="a header for JSON"),
        pytest.param(json.dumps({"JWT": f"\ufeff{JWT}"}), DEFAULT, "byte order mark", id="a mark inside"),
        pytest.param(a_jwt(scopedKeyKey=5), BareJwt(), "names no key", id="a key that is no text"),
        pytest.param("a.b.c", BareJwt(), "middle part holds no JSON", id="claims that are no JSON"),
        pytest.param("a.W10.c", BareJwt(), "names no key", id="claims that are a list"),
    ],
)
def test_unusable_values_are_refused(text: str, shape: JsonFields | BareJwt, problem: str) -> None:
    """What does not fit the configuration is refused, and the refusal quotes nothing of it."""
    with pytest.raises(SecretValueError, match=problem) as refused:
        credential_in(Sensitive(text), shape)
    assert JWT not in str(refused.value)
    assert refused.value.__cause__ is None
    assert refused.value.__context__ is None


@pytest.mark.parametrize(
    ("exp", "expected"),
    [
        (1_900_000_000, datetime(2030, 3, 17, 17, 46, 40, tzinfo=UTC)),
        (1_900_000_000.5, datetime(2030, 3, 17, 17, 46, 40, 500_000, tzinfo=UTC)),
        (None, None),
        ("1900000000", None),
        (0, None),
        (-1, None),
        (10**20, None),
        (99_999_999_999, datetime(5138, 11, 16, 9, 46, 39, tzinfo=UTC)),
    ],
)
def test_expiry(exp: object, expected: datetime | None) -> None:
    """The expiry is a number of seconds that is a date, or none."""
    held = credential(Sensitive(a_jwt(scopedKeyKey="k", exp=exp)), key_id=None, secret=None)
    assert held.expires_at == expected


def test_other_fields_are_carried_over() -> None:
    """Only the fields of the credential change; their order stays."""
    value = json.loads(compose(NEW, DEFAULT, FULL).reveal())
    assert list(value) == ["JWT", "pinata_api_key", "pinata_api_secret", "gateway", "n"]
    assert value == {
        "JWT": NEW_JWT,
        "pinata_api_key": "key-2",
        "pinata_api_secret": "new secret",
        "gateway": "g",
        "n": [1, None],
    }


def test_fields_that_were_not_there_are_not_added() -> None:
    """A value without the legacy pair does not get it."""
    assert json.loads(compose(NEW, DEFAULT, stored(JWT=JWT, a=1)).reveal()) == {"JWT": NEW_JWT, "a": 1}


def test_first_value_has_every_configured_field() -> None:
    """A new value has all fields that the configuration names, and no other."""
    assert json.loads(compose(NEW, CONFIGURED, None).reveal()) == {
        "token": NEW_JWT,
        "id": "key-2",
        "shared_secret": "new secret",
    }
    assert json.loads(compose(NEW, TOKEN_ONLY, None).reveal()) == {"JWT": NEW_JWT}


def test_bare_token_replaces_a_bare_token() -> None:
    """A bare token stays a bare token, and never replaces JSON."""
    assert compose(NEW, BareJwt(), Sensitive(JWT)) == Sensitive(NEW_JWT)
    assert compose(NEW, BareJwt(), None) == Sensitive(NEW_JWT)
    with pytest.raises(SecretValueError):
        compose(NEW, BareJwt(), FULL)


@pytest.mark.parametrize("jwt", ["opaque", "a.b.c", "a.W10.c", ""])
def test_what_is_no_jwt_is_not_stored(jwt: str) -> None:
    """A new token must be a JWT with claims."""
    new = Credential("key-2", Sensitive(jwt), Sensitive("s"), None, (Token(Sensitive(jwt)),))
    with pytest.raises(SecretValueError, match="not a JWT"):
        compose(new, DEFAULT, FULL)


def test_secret_that_is_missing_is_not_stored() -> None:
    """A field that must be filled and cannot be is an error."""
    new = Credential("key-2", Sensitive(NEW_JWT), None, None, (Token(Sensitive(NEW_JWT)),))
    with pytest.raises(SecretValueError, match="no value for the field `pinata_api_secret`"):
        compose(new, DEFAULT, FULL)


def test_value_has_a_limit() -> None:
    """A value as large as Secrets Manager takes is composed, and not one byte more."""
    empty = len(compose(NEW, TOKEN_ONLY, stored(JWT=JWT, pad="")).reveal().encode())
    pad = "x" * (VALUE_MAX_BYTES - empty)
    text = compose(NEW, TOKEN_ONLY, stored(JWT=JWT, pad=pad))
    assert len(text.reveal().encode()) == VALUE_MAX_BYTES
    with pytest.raises(SecretValueError, match="Secrets Manager takes"):
        compose(NEW, TOKEN_ONLY, stored(JWT=JWT, pad=f"{pad}x"))


@pytest.mark.parametrize("shape", [DEFAULT, BareJwt()])
def test_byte_order_mark_is_skipped(shape: JsonFields | BareJwt) -> None:
    """An editor's mark before a value hides no key, and is not carried over."""
    current = FULL if isinstance(shape, JsonFields) else Sensitive(JWT)
    marked = Sensitive("\ufeff" + current.reveal())
    assert credential_in(marked, shape).key_id == "key-1"
    assert compose(NEW, shape, marked) == compose(NEW, shape, current)
    assert managing_token(marked) == Sensitive(JWT)


@pytest.mark.parametrize(
    ("names", "line"),
    [
        (("PINATA_JWT", "PINATA_API_KEY", "PINATA_API_SECRET"), True),
        (("pinataJwt", "pinata_api_key", "pinata_secret_api_key"), True),
        (("jwt", "apiKey", "apiSecret"), True),
        ((JWT, "key", "secret"), False),
    ],
)
def test_near_names_are_named(names: tuple[str, str, str], *, line: bool) -> None:
    """A value whose fields are called a little otherwise comes with the line that configures them."""
    jwt, key, secret = names
    with pytest.raises(SecretValueError, match="no field `JWT`") as refused:
        credential_in(stored(**{jwt: JWT, key: "key-1", secret: CANARY, "gateway": "g"}), DEFAULT)
    ready = f'set `fields = {{ jwt = "{jwt}", key = "{key}", secret = "{secret}" }}`'
    assert (ready in refused.value.message) is line
    assert JWT not in refused.value.message
    assert CANARY not in refused.value.message


@pytest.mark.parametrize(
    "text",
    [
        '{"JWT":"%s","b":1.50,"c":"\\u00e9\\ud800","d":12345678901234567890.123456789}',
        '{\n\t"a" : [1,2 , {"JWT": "not this one"}],\n\t"JWT" : "%s"\n}\n',
        ' { "é": NaN , "JWT":"%s" } ',
    ],
)
def test_value_keeps_its_style(text: str) -> None:
    """Every character of a value but those of the credential stays: separators, indents, escapes and digits."""
    assert compose(NEW, DEFAULT, Sensitive(text % JWT)) == Sensitive(text % NEW_JWT)


def test_size_is_known_before_a_key_is_made() -> None:
    """A value as large as the limit fits with a credential as long as its own; a larger one, or a placeholder, not."""
    room = VALUE_MAX_BYTES - len(json.dumps({"JWT": JWT, "pad": ""}))
    for shape in (DEFAULT, TOKEN_ONLY, BareJwt()):
        check_fits(shape, None)
    check_fits(BareJwt(), Sensitive(JWT))
    check_fits(DEFAULT, stored(JWT=JWT, pad="x" * room))
    for value in (stored(JWT=JWT, pad="x" * (room + 1)), stored(JWT="", pad="x" * room)):
        with pytest.raises(SecretValueError, match="Secrets Manager takes 65536"):
            check_fits(DEFAULT, value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="utf-8"), max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=8), JSON))
def test_anything_else_survives_a_rotation(others: dict[str, object]) -> None:
    """Whatever stands beside the credential is there after a rotation, and the new one is read back."""
    current = stored(**{**others, "JWT": JWT, "pinata_api_key": "key-1", "pinata_api_secret": "s"})
    composed = compose(NEW, DEFAULT, current)
    value = json.loads(composed.reveal())
    for name in ("JWT", "pinata_api_key", "pinata_api_secret"):
        others.pop(name, None)
        del value[name]
    assert value == others
    held = credential_in(composed, DEFAULT)
    assert (held.key_id, held.jwt, held.secret) == (NEW.key_id, NEW.jwt, NEW.secret)


def test_managing_token() -> None:
    """The managing key's secret holds a bare token, or a field of that name."""
    assert managing_token(Sensitive(JWT)) == Sensitive(JWT)
    assert managing_token(stored(JWT=JWT, other=1)) == Sensitive(JWT)
    with pytest.raises(SecretValueError):
        managing_token(stored(other=1))


def test_field_that_occurs_twice_is_refused() -> None:
    """Of two fields of one name nobody knows which one consumers read."""
    with pytest.raises(SecretValueError, match="occurs twice"):
        credential_in(Sensitive('{"JWT": "a.b.c", "n": 1, "n": 2}'), TOKEN_ONLY)


def test_the_managing_token_may_stand_bare_or_in_a_field() -> None:
    """Its secret holds the token alone, or JSON with the field `JWT`."""
    assert managing_token(Sensitive("token")).reveal() == "token"
    assert managing_token(Sensitive('{"JWT": "token", "note": 1.50}')).reveal() == "token"
    with pytest.raises(SecretValueError, match="no field `JWT`"):
        managing_token(Sensitive("{}"))
