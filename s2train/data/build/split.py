"""Which side a question falls on: decided by a hash of the question alone.

So no question changes sides when data are added, and all copies of a question, in whichever set and however it is
spaced or capitalised, stay on one side. `clusters` gives near-duplicates one question to be hashed by.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from typing import Literal

Side = Literal["train", "validation"]

DEFAULT_SHARE = 0.1
DEFAULT_SEED = 0

_NOT_A_WORD = re.compile(r"[\W_]+")


def normalised(question: str) -> str:
    """The question's words: compatibility characters unified, case folded, the rest one space.

    >>> normalised("Why  is the SKY blue?!")
    'why is the sky blue'
    """
    return _NOT_A_WORD.sub(" ", unicodedata.normalize("NFKC", question).casefold()).strip()


def side(question: str, *, share: float = DEFAULT_SHARE, seed: int = DEFAULT_SEED) -> Side:
    """`validation` if the first 64 bits of SHA-256(seed, NUL, normalised question), as a fraction, lie below share.

    A larger share only adds questions to the validation side; another seed draws another split.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"share must lie between 0 and 1, not {share}")
    digest = hashlib.sha256(f"{seed}\0{normalised(question)}".encode()).digest()
    return "validation" if int.from_bytes(digest[:8], "big") < share * 2**64 else "train"
