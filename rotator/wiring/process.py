"""What this process allows others to see of its memory, which holds every secret it handles.

Entry points call `forbid_dumps` before they read anything. It is no defence against root, nor does
it wipe memory: Python cannot.
"""

import resource
import sys

_PR_SET_DUMPABLE = 4
"""From prctl(2)."""


def forbid_dumps() -> None:
    """Write no core dumps and, on Linux, let no other process of this user attach or read the memory.

    A child process starts without the second; it is kept from neither by a missing privilege.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        import ctypes  # noqa: PLC0415 - costs milliseconds, which other systems need not pay

        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
