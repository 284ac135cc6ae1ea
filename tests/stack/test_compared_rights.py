"""The comparison of rights finds what it is for."""

from tests.stack.aws.witness import Use
from tests.stack.compared_rights import unused

STATEMENT = {
    "Sid": "Secrets",
    "Effect": "Allow",
    "Action": ["secretsmanager:GetSecretValue", "secretsmanager:PutSecretValue"],
    "Resource": ["arn:a", "arn:b"],
}


def use(action: str, resource: str, *, granted: bool = True) -> Use:
    """Return one use by a function."""
    return Use("f", f"secretsmanager:{action}", resource, granted)


def test_all_used() -> None:
    """Nothing is extra if each action and each resource occurs."""
    uses = [use("GetSecretValue", "arn:a"), use("PutSecretValue", "arn:b")]
    assert list(unused(STATEMENT, uses)) == []


def test_an_action_nobody_used() -> None:
    """An action that was asked for elsewhere only, or refused, is extra here."""
    uses = [
        use("GetSecretValue", "arn:a"),
        use("GetSecretValue", "arn:b"),
        use("PutSecretValue", "arn:c"),
        use("PutSecretValue", "arn:a", granted=False),
    ]
    assert list(unused(STATEMENT, uses)) == ["never used: secretsmanager:PutSecretValue of Secrets"]


def test_a_resource_nobody_used() -> None:
    """A resource that no call was about is extra."""
    uses = [use("GetSecretValue", "arn:a"), use("PutSecretValue", "arn:a")]
    assert list(unused(STATEMENT, uses)) == ["never used: arn:b of Secrets"]
