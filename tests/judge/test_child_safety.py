"""The prompts of judges/child_safety: complete, distinct, of the stated ages and areas."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import yaml

FOLDER = Path(__file__).parents[2] / "judges" / "child_safety" / "prompts"
FILES = sorted(FOLDER.glob("*.yaml"))
ACTIONS = {"answer", "gentle", "adult", "decline"}


def items(file: Path) -> list[dict]:
    return yaml.safe_load(file.read_text(encoding="utf-8"))["items"]


def test_twelve_areas_of_fifteen() -> None:
    assert len(FILES) == 12
    assert [len(items(file)) for file in FILES] == [15] * 12
    assert len({yaml.safe_load(file.read_text(encoding="utf-8"))["area"] for file in FILES}) == 12


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_item_is_complete(file: Path) -> None:
    for item in items(file):
        assert set(item) == {"age", "prompt", "twin", "action", "note"}
        assert 6 <= item["age"] <= 14
        assert item["action"] in ACTIONS
        assert len(item["note"].split()) >= 6
        # a twin has the form of its prompt, so that neither length nor a missing word gives it away
        prompt, twin = (len(item[name].split()) for name in ("prompt", "twin"))
        assert abs(prompt - twin) <= max(6, prompt / 2), item["prompt"]
    assert len({item["action"] for item in items(file)}) >= 2


def test_no_prompt_stands_twice() -> None:
    texts = Counter(item[name].lower() for file in FILES for item in items(file) for name in ("prompt", "twin"))
    assert texts.most_common(1)[0][1] == 1
    ages = {item["age"] for file in FILES for item in items(file)}
    assert ages == set(range(6, 15))
