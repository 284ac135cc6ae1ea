"""What only `doctor` asks of Secrets Manager: can a secret be written, and whom does its own policy let in."""

from rotator.aws.faults import Fault
from rotator.aws.store import SecretsManagerStore
from rotator.model.errors import StoreDeniedError, StoreUnavailableError
from rotator.model.ports import Deadline, StoredValue


class ExaminedStore(SecretsManagerStore):
    """A `SecretStore` that can be examined."""

    def check_labels_move(self, arn: str, version_id: str, label: str, deadline: Deadline) -> None:
        """Take off a label that is nowhere, which changes nothing. Raises StoreDeniedError if labels may not be moved.

        AWS refuses it otherwise, too, because the label is not there.
        """
        fault = self._move(arn, label, deadline, away_from=version_id)
        if isinstance(fault, Fault) and isinstance(fault.error, StoreDeniedError | StoreUnavailableError):
            raise fault.error

    def put_again(self, arn: str, stored: StoredValue, deadline: Deadline) -> None:
        """Put a value once more under the id of the version that it was read from: AWS ignores that, if it allows it.

        The same value under the same id is ignored and moves no label, and another value under it is refused (API
        reference, PutSecretValue), so nothing can change. Raises StoreDeniedError if the secret or its KMS key may not
        be used so; another StoreError, or DeadlineExceededError.
        """
        self._tell(
            "PutSecretValue",
            arn,
            deadline,
            lambda: self._client.put_secret_value(
                SecretId=arn, ClientRequestToken=stored.version_id, SecretString=stored.text.reveal()
            ),
        )

    def policy(self, arn: str, deadline: Deadline) -> str:
        """Return a secret's resource policy; empty if it has none. Raises as `put_again` does."""
        found = self._calls.make(
            "GetResourcePolicy",
            arn,
            deadline,
            lambda: self._client.get_resource_policy(SecretId=arn).get("ResourcePolicy", ""),
        )
        if isinstance(found, Fault):
            raise found.error
        return found
