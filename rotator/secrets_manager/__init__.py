"""AWS Secrets Manager over boto3: the `SecretStore` of the real world.

    store     versions and staging labels
    faults    what AWS and botocore can answer, as our own errors
    client    how a client behaves, and which endpoint it may be told to use

No other part of the program knows which call moves a label. Clients are made by `wiring`.
"""

from rotator.secrets_manager.client import client_config, endpoint_from_environment
from rotator.secrets_manager.store import SecretsManagerStore

__all__ = ["SecretsManagerStore", "client_config", "endpoint_from_environment"]
