"""What determines a result: the key over it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any


def key_of(inputs: Mapping[str, Any]) -> str:
    """16 hex digits of the SHA-256 over what determines a result; equal inputs give equal keys."""
    text = json.dumps(inputs, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
