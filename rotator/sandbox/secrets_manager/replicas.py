"""The replicas of a secret: which regions have one, and whether it has caught up. Pure, like `rules`.

A replica always shows what its primary does (`store`): what replication comes to in a region is said by whoever
drives the simulation.

Sources: the API reference (ReplicateSecretToRegions, RemoveRegionsFromReplication, ReplicationStatusType).
"""

from collections.abc import Iterable
from dataclasses import replace

from rotator.sandbox.secrets_manager.state import ReplicaStatus, ResourceNotFoundError, Secret


def replicate(secret: Secret, regions: Iterable[str]) -> Secret:
    """ReplicateSecretToRegions: in sync at once; LastChangedDate stays (*unsettled*).

    Raises InvalidRequestError if The secret is deleted. .
    """
    secret.check_live()
    added = dict.fromkeys(regions, ReplicaStatus.IN_SYNC)
    return replace(secret, replicas={**secret.replicas, **added})


def unreplicate(secret: Secret, regions: Iterable[str]) -> Secret:
    """RemoveRegionsFromReplication; regions that are not there are ignored (*unsettled*).

    Raises InvalidRequestError if The secret is deleted. .
    """
    secret.check_live()
    gone = set(regions)
    return replace(secret, replicas={r: s for r, s in secret.replicas.items() if r not in gone})


def set_status(secret: Secret, region: str, status: ReplicaStatus) -> Secret:
    """What replication comes to in a region, which no caller decides.

    Raises ResourceNotFoundError if The secret is not replicated there. .
    """
    if region not in secret.replicas:
        raise ResourceNotFoundError(f"The secret has no replica in {region}.")
    return replace(secret, replicas={**secret.replicas, region: status})
