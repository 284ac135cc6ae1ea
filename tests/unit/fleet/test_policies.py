"""Whom a resource policy lets read a secret."""

import json

import pytest

from rotator.fleet.policies import open_to

ROOT = "arn:aws:iam::111122223333:root"
READ = "secretsmanager:GetSecretValue"


def _policy(principal: object, action: object = READ, **more: object) -> str:
    statement = {"Effect": "Allow", "Principal": principal, "Action": action, "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement | more]})


@pytest.mark.parametrize("principal", ["*", {"AWS": "*"}, {"AWS": [ROOT, "*"]}])
@pytest.mark.parametrize("action", [READ, "secretsmanager:*", "*", ["kms:Decrypt", "SecretsManager:getSecret*"]])
def test_everybody_is_too_many(principal: object, action: object) -> None:
    """However everybody and reading are written."""
    assert open_to(_policy(principal, action)) == "everybody, of every AWS account"


def test_a_condition_that_many_meet_narrows_little() -> None:
    """An account or an organization is named; a role or an endpoint is narrow enough."""
    account = {"StringEquals": {"aws:PrincipalAccount": "111122223333"}, "Bool": {"aws:SecureTransport": "true"}}
    assert open_to(_policy("*", Condition=account)) == "everybody who meets aws:principalaccount"
    for narrow in (
        {"ArnLike": {"aws:PrincipalArn": "arn:*"}},
        account | {"StringEquals": {"aws:sourceVpce": "vpce-1"}},
    ):
        assert open_to(_policy("*", Condition=narrow)) is None


def test_fewer_are_nobodys_business() -> None:
    """A role, an account that is trusted by its name, a denial, another action, no policy at all."""
    fine = [
        _policy({"AWS": ROOT}),
        _policy({"Service": "ecs.amazonaws.com"}),
        _policy("*", "secretsmanager:PutSecretValue"),
    ]
    for policy in (*fine, _policy("*", Effect="Deny"), "", "{}"):
        assert open_to(policy) is None
    for broken in ("[", "[]"):
        with pytest.raises(ValueError, match=r".+"):
            open_to(broken)
