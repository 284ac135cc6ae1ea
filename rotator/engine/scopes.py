"""Comparing the scopes a key was asked with to the scopes Pinata says it has.

Pinata echoes scopes in its key list, in a form that is documented for legacy endpoints only, so a comparison speaks
only where both sides are of one kind. An admin key is wider than anything.
"""

from rotator.model.secret import Admin, Endpoints, Permissions, Resources


def difference(requested: Permissions, echoed: Permissions | None) -> str | None:
    """Say how the echoed scopes differ from the requested ones; None if they do not, or cannot be compared."""
    match requested, echoed:
        case (Admin(), Admin()) | (_, None):
            return None
        case _, Admin():
            return "it is an admin key"
        case (Resources(names=wanted), Resources(names=shown)) | (Endpoints(names=wanted), Endpoints(names=shown)):
            # Pinata's OpenAPI file: write includes read.
            implied = {name.removesuffix(":write") + ":read" for name in wanted if name.endswith(":write")}
            parts = [
                f"{verb} {', '.join(sorted(names))}"
                for verb, names in (("also has", shown - wanted - implied), ("lacks", wanted - shown - implied))
                if names
            ]
            return "it " + " and ".join(parts) if parts else None
        case _:
            return None
