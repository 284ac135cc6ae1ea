"""Which policy denied a call: AWS's sentence is read by its fixed parts, whatever the names in it say."""

import pytest

from rotator.aws.denials import GRANT_KEY, denial

RIGHT = "secretsmanager:PutSecretValue"
ARN = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:prod/x-AbCdEf"
KEY = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
WHO = "User: arn:aws:sts::111122223333:assumed-role/rotator/i-1"
ON = f"{WHO} is not authorized to perform: {RIGHT} on resource: {ARN}"
KINDS = [
    "service control policy",
    "resource control policy",
    "resource-based policy",
    "permissions boundary",
    "VPC endpoint policy",
    "session policy",
    "identity-based policy",
]


@pytest.mark.parametrize("kind", KINDS)
def test_explicit_deny_names_the_policy(kind: str) -> None:
    """No right that is given helps against it."""
    article = "an" if kind.startswith("identity") else "a"
    found = denial(f"{ON} with an explicit deny in {article} {kind}", "x:Y")
    assert found.said == f": {article} {kind} denies `{RIGHT}` explicitly"
    assert found.next_step


@pytest.mark.parametrize("kind", [*KINDS[:-1], "role trust policy"])
def test_a_policy_that_does_not_allow_is_named(kind: str) -> None:
    """The role's own policy may allow it all the same."""
    found = denial(f"{ON} because no {kind} allows the {RIGHT} action", "x:Y")
    assert found.said == f": no {kind} allows `{RIGHT}`"


@pytest.mark.parametrize("sentence", [f"{ON} because no identity-based policy allows the {RIGHT} action", ON, "", "no"])
def test_otherwise_this_identity_lacks_the_right(sentence: str) -> None:
    """As far as anybody tells."""
    assert denial(sentence, RIGHT).said == f": this AWS identity lacks `{RIGHT}`"
    assert "docs/rights.md" in denial(sentence, RIGHT).next_step


@pytest.mark.parametrize(
    "name",
    [
        "with-an-explicit-deny-in-a-service-control-policy",
        "prod/service_control_policy/because.no.permissions.boundary.allows",
        "prod/KMS",
        "kms:Decrypt",
        "Access=to=KMS=is=not=allowed",
    ],
)
def test_a_name_says_nothing_of_the_policy(name: str) -> None:
    """Names of secrets and sessions hold any word, and no space."""
    sentence = f"{WHO}{name} is not authorized to perform: {RIGHT} on resource: {ARN}{name}"
    assert denial(sentence, "x:Y").said == f": this AWS identity lacks `{RIGHT}`"


def test_a_key_is_named() -> None:
    """By its ARN, where AWS gives it."""
    sentence = f"{WHO} is not authorized to perform: kms:Decrypt on resource: {KEY} because no identity-based policy "
    found = denial(sentence + "allows the kms:Decrypt action", RIGHT)
    assert found.said == f" the use of the KMS key {KEY}"
    assert found.next_step == GRANT_KEY
    foreign = f"{WHO} is not authorized to perform: kms:Decrypt on the resource associated with this ciphertext because"
    assert denial(f"{foreign} the resource does not exist", RIGHT).said == " the use of the KMS key"


def test_nothing_else_of_the_sentence_is_told() -> None:
    """An action that is none may be anything."""
    found = denial("canary is not authorized to perform: canary:" + "canary" * 20, RIGHT)
    assert "canary" not in found.said + found.next_step
