"""Python's own hash functions. `hashlib` loads OpenSSL first, which takes longer than all we hash.

The standard library does the same in `random`. A Python that was built without its own SHA-256 has
that of OpenSSL.
"""

import sys
from _blake2 import blake2b
from typing import TYPE_CHECKING

__all__ = ["blake2b", "sha256"]

if TYPE_CHECKING:
    from hashlib import sha256
else:
    try:
        if sys.version_info >= (3, 12):
            from _sha2 import sha256
        else:
            from _sha256 import sha256
    except ImportError:
        from hashlib import sha256
