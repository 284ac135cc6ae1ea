"""The tag `rotator:audit-head`: what the audit trail came to when a secret was last worked on, noted outside of it.

To take the newest runs away unseen, with the entries of the ledger that list them, the tag of each secret has to be
lowered as well. It is set once a run is listed that was to change something, above what was noted when its secret was
last described. A head that another process has noted since then may be overwritten with an earlier one. No run goes by
it, and a run that could not set it stands; the next one sets a later head.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rotator.model.errors import RotatorError
from rotator.model.ports import SecretStore
from rotator.model.tags import AUDIT_HEAD_TAG, with_heads
from rotator.wiring.runs import MonotonicDeadline

_LIMIT_S = 10.0


@dataclass(frozen=True, slots=True)
class TagWitness:
    """Notes heads on the secrets themselves."""

    store: SecretStore
    on_loss: Callable[[RotatorError], None]

    def __call__(self, arn: str, noted: str | None, heads: Sequence[str]) -> None:
        """Note heads on a secret, if they are later than those that were noted there."""
        deadline = MonotonicDeadline.after(_LIMIT_S)
        try:
            if noted is None:
                noted = self.store.describe(arn, deadline).audit_head or ""
            if (told := with_heads(noted, heads)) != noted:
                self.store.tag(arn, AUDIT_HEAD_TAG, told, deadline)
        except RotatorError as error:
            self.on_loss(error)
