"""The configuration: one TOML file, read into frozen values, every problem reported at once.

file       the whole, and the checks that span tables
tables     [pinata], [aws], [audit], [daemon]
entries    one [[secrets]] entry, or [defaults]
fields     tables that note problems instead of raising
values     one text -> one value
starter    the file that `rotator init` writes
"""

from rotator.config.file import (
    SIZE_MAX_BYTES,
    Config,
    find_path,
    load,
    parse,
)
from rotator.config.starter import STARTER
from rotator.config.tables import (
    EVERY_MAX,
    AdminEnvironment,
    AdminSecret,
    AuditConfig,
    AwsConfig,
    BucketPrefix,
    DaemonConfig,
    PinataConfig,
)
from rotator.config.values import (
    TOKEN,
    UnfitError,
    duration,
    is_loopback,
    listen_address,
    nearest,
    quoted,
)

__all__ = [
    "EVERY_MAX",
    "SIZE_MAX_BYTES",
    "STARTER",
    "TOKEN",
    "AdminEnvironment",
    "AdminSecret",
    "AuditConfig",
    "AwsConfig",
    "BucketPrefix",
    "Config",
    "DaemonConfig",
    "PinataConfig",
    "UnfitError",
    "duration",
    "find_path",
    "is_loopback",
    "listen_address",
    "load",
    "nearest",
    "parse",
    "quoted",
]
