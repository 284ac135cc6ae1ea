"""What policies allow."""

from typing import Any

import pytest

from tests.stack.aws.rights import Ask, allowed

SECRET = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:prod/pinata/uploader-AbCdEf"
READ = {
    "Effect": "Allow",
    "Action": ["secretsmanager:GetSecretValue", "secretsmanager:Describe*"],
    "Resource": SECRET[:-6] + "??????",
}
VIA = {
    "Effect": "Allow",
    "Action": "kms:Decrypt",
    "Resource": "*",
    "Condition": {"StringEquals": {"kms:ViaService": "secretsmanager.eu-central-1.amazonaws.com"}},
}
DENY = {"Effect": "Deny", "Action": "secretsmanager:*", "Resource": "*"}


@pytest.mark.parametrize(
    ("statements", "ask", "expected"),
    [
        ([], Ask("secretsmanager:GetSecretValue", SECRET), False),
        ([READ], Ask("secretsmanager:GetSecretValue", SECRET), True),
        ([READ], Ask("SecretsManager:getsecretvalue", SECRET), True),
        ([READ], Ask("secretsmanager:DescribeSecret", SECRET), True),
        ([READ], Ask("secretsmanager:PutSecretValue", SECRET), False),
        ([READ], Ask("secretsmanager:GetSecretValue", SECRET + "X"), False),
        ([READ], Ask("secretsmanager:GetSecretValue", SECRET.replace("prod", "test")), False),
        ([READ, DENY], Ask("secretsmanager:GetSecretValue", SECRET), False),
        ([VIA], Ask("kms:Decrypt", "key"), False),
        ([VIA], Ask("kms:Decrypt", "key", {"kms:viaservice": "s3.amazonaws.com"}), False),
        ([VIA], Ask("kms:Decrypt", "key", {"kms:viaservice": "secretsmanager.eu-central-1.amazonaws.com"}), True),
    ],
)
def test_allowed(statements: list[dict[str, Any]], ask: Ask, *, expected: bool) -> None:
    """A statement's action, resource and condition must all cover the request, and no Deny may."""
    assert allowed(statements, ask) is expected


def test_a_function_policy_names_who_may_invoke() -> None:
    """Another service than the one named is not let in."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "lambda:InvokeFunction",
        "Resource": "f",
    }
    assert allowed([statement], Ask("lambda:InvokeFunction", "f", principal="events.amazonaws.com"))
    assert not allowed([statement], Ask("lambda:InvokeFunction", "f", principal="s3.amazonaws.com"))


@pytest.mark.parametrize("strange", [{"NotAction": "s3:*"}, {"Condition": {"Bool": {"aws:SecureTransport": "true"}}}])
def test_what_is_not_understood_is_an_error(strange: dict[str, Any]) -> None:
    """Nothing is guessed."""
    with pytest.raises(ValueError, match="not understood"):
        allowed([{**READ, **strange}], Ask("secretsmanager:GetSecretValue", SECRET))
