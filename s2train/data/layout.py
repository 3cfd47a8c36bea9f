"""Where things lie in the folder that `--out` names; its sets are what `S2_DATA_DIR` expects.

DIR/{eli5,wiki,full}/{train,validation}.{jsonl,parquet}
DIR/preferences/<aspect>.jsonl, <aspect>.validation.jsonl
DIR/dataset_card.md, manifest.json, eda.md, eda.html
DIR/candidates/{eli5,wiki,questions,<aspect>}.{jsonl,json}, reddit.jsonl, calls.sqlite    what was read and generated
"""

from __future__ import annotations

from pathlib import Path

from s2train.data.build.split import Side

SETS = ("eli5", "wiki")
FULL = "full"
SIDES: tuple[Side, Side] = ("train", "validation")
PREFERENCES = "preferences"

MANIFEST = "manifest.json"
CARD = "dataset_card.md"
EDA = ("eda.md", "eda.html")

CANDIDATES = "candidates"
QUESTIONS = "questions"
REDDIT = "reddit"  # joined records of dumps, of which preferences are made too
CALLS = "calls.sqlite"


def candidates(out: Path, name: str) -> Path:
    """The file of candidates of a set or of an aspect, or of written questions."""
    return out / CANDIDATES / f"{name}.jsonl"
