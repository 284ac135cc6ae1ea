"""The fields an event may have, as dotted paths, so that verification can tell what was added.

The items of a list share one path. A path once written stays here: new programs verify old trails.
"""

from rotator.audit.attestation import Json

_REQUIRED = """
category_uid class_uid activity_id activity_name type_uid time severity_id
status_id status status_detail
metadata metadata.version metadata.uid metadata.correlation_uid metadata.sequence
metadata.product metadata.product.name metadata.product.version metadata.log_name
actor actor.app_name actor.app_uid actor.user actor.user.uid
src_endpoint src_endpoint.hostname
api api.operation api.service api.service.name api.request api.request.uid
resources
unmapped unmapped.kind
unmapped.attestation_list unmapped.attestation_list.chain_uid
unmapped.attestation_list.fingerprint
unmapped.attestation_list.fingerprint.algorithm_id unmapped.attestation_list.fingerprint.value
"""
_OPTIONAL = """
resources.type resources.uid resources.name resources.version
unmapped.reason unmapped.actions unmapped.generation unmapped.outcome unmapped.revoked
unmapped.label unmapped.unanswered
unmapped.error unmapped.remedy unmapped.next_step
unmapped.torn unmapped.torn.length
unmapped.torn.fingerprint unmapped.torn.fingerprint.algorithm_id unmapped.torn.fingerprint.value
unmapped.attestation_list.prev_event unmapped.attestation_list.prev_event.uid
unmapped.attestation_list.prev_event.type_uid unmapped.attestation_list.prev_event.fingerprint
unmapped.attestation_list.prev_event.fingerprint.algorithm_id
unmapped.attestation_list.prev_event.fingerprint.value
"""
REQUIRED_PATHS = frozenset(_REQUIRED.split())
"""What every event has."""
KNOWN_PATHS = REQUIRED_PATHS.union(_OPTIONAL.split())
"""What an event may have."""


def key_paths(event: Json) -> set[str]:
    """Return the path of every key in an event."""
    found: set[str] = set()
    pending = [("", event)]
    while pending:
        prefix, value = pending.pop()
        if isinstance(value, dict):
            for key, inner in value.items():
                found.add(prefix + key)
                pending.append((f"{prefix}{key}.", inner))
        elif isinstance(value, list):
            pending.extend((prefix, inner) for inner in value)
    return found
