"""Made-up folders, pairs and preferences; pictures read again."""

from __future__ import annotations

import hashlib
import json
import random
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from s2train.data import layout

HOSTILE = '<script>alert(1)</script> --> "&" | $x_{1}$'


def preference(prompt: str, chosen: str, rejected: str, **more: Any) -> dict[str, Any]:
    made = {"prompt": prompt, "chosen": chosen, "rejected": rejected, "aspect": "helpfulness"}
    return made | {"margin": 1.5, "source": "reddit/x"} | more


def svg_of(text: str) -> ET.Element:
    return ET.fromstring(text)


NOUNS = ("rain", "wind", "snow", "light", "sound", "water", "metal", "engine", "bridge", "river", "paper", "glass")


def row(number: int, rng: random.Random, **more: Any) -> dict[str, Any]:
    picked = rng.sample(NOUNS, 4)
    answer = " ".join(f"The {noun} is made of {rng.choice(NOUNS)} and it can move." for noun in picked)
    question = f"{rng.choice(['Why', 'How', 'What'])} does the {picked[0]} move {number}?"
    made = {"id": f"eli5-{number}", "question": question, "answer": answer * rng.randint(1, 3), "source": "reddit/x"}
    return made | {"score": rng.randint(1, 400), "category": rng.choice(["Physics", "Other"])} | more


def write(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in rows))


def write_candidates(out: Path, name: str, rows: Sequence[dict[str, Any]]) -> None:
    path = layout.candidates(out, name)
    write(path, rows)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    told = {"inputs": [], "read": len(rows), "dropped": {}, "changed": {}, "rows": len(rows), "sha256": sha256}
    path.with_suffix(".json").write_text(json.dumps(told))


def make_folder(out: Path, rows: Sequence[dict[str, Any]], kept: int) -> Path:
    """A set `eli5` of the first `kept` rows, each fifth of them in validation, all rows its candidates."""
    write_candidates(out, "eli5", rows)
    write(out / "eli5" / "train.jsonl", (one for number, one in enumerate(rows[:kept]) if number % 5))
    write(out / "eli5" / "validation.jsonl", (one for number, one in enumerate(rows[:kept]) if number % 5 == 0))
    return out
