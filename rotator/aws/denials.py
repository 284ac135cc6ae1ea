"""Which policy denied a call, read from AWS's own sentence.

The sentence is fixed text around ARNs: "User: ARN is not authorized to perform: ACTION on resource: ARN because no
identity-based policy allows the ACTION action", or "... with an explicit deny in a service control policy" (IAM user
guide, "Troubleshoot access denied error messages"). ARNs and names may hold any word of it, and no space, so only
phrases with spaces are looked for, and nothing of the sentence is told except the action and the KMS key.
"""

import re
from dataclasses import dataclass

_POLICIES = {
    "identity-based policy": "Compare the role's policy with the one in docs/rights.md.",
    "permissions boundary": "Have the permissions boundary of the role allow it: the role's policy alone cannot.",
    "resource control policy": "Ask the administrators of the AWS organization: the role's policy cannot lift it.",
    "resource-based policy": "Look at the secret's own policy (`aws secretsmanager get-resource-policy`) or its key's.",
    "role trust policy": "Have the role's trust policy admit this identity.",
    "service control policy": "Ask the administrators of the AWS organization: the role's policy cannot lift it.",
    "session policy": "Look at the policy that the session was made with: the role's policy alone cannot allow it.",
    "VPC endpoint policy": "Have the policy of the VPC endpoint allow it: the role's policy alone cannot.",
}
_KIND = "|".join(map(re.escape, _POLICIES))
_EXPLICIT = re.compile(rf" with an explicit deny in (?:an?|the) ({_KIND})(?![\w-])")
_IMPLICIT = re.compile(rf" because no ({_KIND}) allows the ")
_ACTION = re.compile(r" is not authorized to perform: ([a-z0-9-]{2,32}:[A-Za-z]{2,64})(?= |$)")
_KMS_KEY = re.compile(
    r" on (?:the )?resource: (arn:aws[a-z-]*:kms:[a-z0-9-]{1,32}:\d{12}:key/[A-Za-z0-9-]{1,48})(?= |$)"
)
_KMS = "Access to KMS is not allowed"
GRANT_KEY = (
    "See that the secret's KMS key is enabled, and that the role has `kms:Decrypt` and `kms:GenerateDataKey` on it."
)
GRANT_SIGNING = (
    "See that the role's policy, and the key's own, allow `kms:Sign` and `kms:GetPublicKey` on the key, in its region."
)


@dataclass(frozen=True, slots=True)
class Denial:
    """Why a call was denied: `said` completes "CALL was denied ..."."""

    said: str
    next_step: str


def denial(sentence: str, right: str, grant_key: str = GRANT_KEY) -> Denial:
    """Return what AWS's sentence says; `right` is the one that was needed, if the sentence names none.

    `grant_key` is the next step if it is about a KMS key, and no other policy than the usual one is to blame.
    """
    action = _ACTION.search(sentence)
    right = action[1] if action else right
    explicit, implicit = _EXPLICIT.search(sentence), _IMPLICIT.search(sentence)
    kms = right.startswith("kms:") or sentence.startswith(_KMS)
    what = _kms_key(sentence) if kms else f"`{right}`"
    if explicit:
        a = "an" if explicit[1].startswith("identity") else "a"
        return Denial(f": {a} {explicit[1]} denies {what} explicitly", _POLICIES[explicit[1]])
    if implicit and implicit[1] != "identity-based policy":
        return Denial(f": no {implicit[1]} allows {what}", _POLICIES[implicit[1]])
    if kms:
        return Denial(f" {what}", grant_key)
    return Denial(f": this AWS identity lacks {what}", _POLICIES["identity-based policy"])


def _kms_key(sentence: str) -> str:
    key = _KMS_KEY.search(sentence)
    return f"the use of the KMS key {key[1]}" if key else "the use of the KMS key"
