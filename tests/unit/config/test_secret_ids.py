"""The id of a secret, and the forms that other tools give it."""

import re

import pytest

from rotator.config.secret_ids import secret_id
from rotator.config.values import UnfitError

ARN = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:prod/x-AbCdEf"


@pytest.mark.parametrize("text", ["prod/x", "prod/x-AbCdEf", ARN, ARN[:-7], "arn", "a@b+c=d.e!f_g"])
def test_names_and_arns_are_ids(text: str) -> None:
    """A name, an ARN and an ARN without its suffix are taken as they are."""
    assert secret_id(text) == text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"{ARN}:JWT::", f'":JWT::" behind the ARN is too much: .* write "{ARN}"'),
        (f"{ARN}:JWT:AWSCURRENT:", f'":JWT:AWSCURRENT:" behind the ARN is too much: .* write "{ARN}"'),
        (f"{ARN[:-7]}:JWT::", f'":JWT::" behind the ARN .* write "{ARN[:-7]}"'),
        ("prod/x:JWT::", '":JWT::" behind the name is too much: .* write "prod/x"'),
        (f'"{ARN}"', f'quotes around it; write "{ARN}"'),
        (" prod/x\n", 'white space or quotes around it; write "prod/x"'),
        ("{{resolve:secretsmanager:prod/x:SecretString:JWT}}", 'CloudFormation; write the id in it, "prod/x"'),
        (f"{{{{resolve:secretsmanager:{ARN}:SecretString:JWT:AWSCURRENT}}}}", f'the id in it, "{ARN}"'),
        ("/aws/reference/secretsmanager/prod/x", 'Parameter Store .* its name, "prod/x"'),
        (
            "https://eu-central-1.console.aws.amazon.com/secretsmanager/secret?name=prod%2Fx&region=eu-central-1",
            'address of the console; write the name in it, "prod/x"',
        ),
        ("arn:aws:ssm:eu-central-1:111122223333:parameter/prod/x", 'ARN of the service "ssm"'),
        ("arn:aws:s3:::prod-x", 'ARN of the service "s3"'),
        ("arn:aws:secretsmanager::111122223333:secret:prod/x", 'has "" where an ARN has its region'),
        ("arn:aws:secretsmanager:eu-central-1:1111:secret:prod/x", 'has "1111" where .* account of 12 digits'),
        ("arn:aws:secretsmanager:eu-central-1:111122223333:prod/x", 'has "prod/x" where the ARN of a secret has `secr'),
        ("111122223333:secret:prod/x-AbCdEf", "is a part of an ARN; write the whole of it"),
        ("arn:aws:secretsmanager", "where an ARN has its region"),
        ("prod x", "^$"),
        ("", "^$"),
    ],
)
def test_other_forms_are_named(text: str, said: str) -> None:
    """Of an id as another tool writes it, the part that is too much is named, and the id that is meant."""
    with pytest.raises(UnfitError, match=said):
        secret_id(text)


def test_what_is_meant_is_not_cut_off() -> None:
    """An id of the greatest length is given whole."""
    whole = ARN.replace("prod/x", "n" * 512)
    with pytest.raises(UnfitError, match=re.escape(f'write "{whole}"')):
        secret_id(f"{whole}:JWT::")
