"""A secret that lies in a file of a plugin's own folder, where the operator configured none.

What it seals or signs is the plugin's business.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from pathlib import Path


def random_text() -> bytes:
    """256 random bits as 64 hex digits."""
    return secrets.token_hex(32).encode()


def kept_secret(path: Path, make: Callable[[], bytes] = random_text) -> bytes:
    """What the file holds, which only this user can read. It is made when it is not there; of several processes that
    make it at once one is first, and its secret counts for all. It is on the disk before anybody uses it.

    Raises `OSError`.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(make())
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)  # unlike a rename it replaces nothing
        except FileExistsError:
            pass  # another process was first
        finally:
            draft.unlink()
    return path.read_bytes().strip()
