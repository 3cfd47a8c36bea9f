"""Real texts for the measurements of metrics: from `S2_SHARED_DATA` (else ../shared/data), else the demonstration's."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("S2_SHARED_DATA", ROOT.parent / "shared" / "data"))
DEMO = ROOT / "tasks" / "demo" / "data"
LONG = 0.9  # of the words that were asked for
LETTERS = 6  # a word of prose has, its space included
REFERENCE = "gpt-3.5-turbo"  # of MT-bench's seven models the one whose answers the other six's are compared with


def origin() -> str:
    """Where the texts are from, for the tables' notes."""
    return "ELI5 and MT-bench answers" if SHARED.is_dir() else "demonstration's answers, joined and repeated"


def pairs(count: int, words: int) -> list[tuple[str, str]]:
    """(answer, reference) of nearly that many words each, half of them one line each, half with lists and code.

    People's answers on Reddit with the next one in the file that is long enough; two models' answers to one question
    of MT-bench. Of the demonstration: a text with each of the others.
    """
    if not SHARED.is_dir():
        texts = _demo(words)
        found = [(text, texts[(i + shift) % len(texts)]) for shift in range(1, 40) for i, text in enumerate(texts)]
        return found[:count]
    said = [cut(text, words) for text in _reddit() if size(text) >= LONG * words]
    reddit = list(zip(said[::2], said[1::2], strict=False))[: count // 2]
    written = [
        (cut(text, words), cut(wanted, words))
        for one, other in combinations(_mtbench().values(), 2)
        for text, wanted in zip(one, other, strict=True)
        if min(size(text), size(wanted)) >= LONG * words
    ]
    return reddit + written[: count - len(reddit)]


def answers(count: int, words: int) -> list[str]:
    """Answers of that many words."""
    if not SHARED.is_dir():
        return (_demo(words) * count)[:count]
    return [cut(text, words) for text in _reddit() if size(text) >= words][:count]


def models(count: int, words: int) -> tuple[dict[str, list[str]], list[str]]:
    """(model → its answers, references), that many of each, none of more words, nor of longer ones than prose has.

    Six models' answers to MT-bench's questions, both turns, and the seventh's as references. The demonstration has
    one answer to a question: its six "models" give it without every 7th, 6th, … 2nd word.
    """
    if not SHARED.is_dir():
        references = [cut(text, words) for text in (_demo(2 * words) + _demo(3 * words))[:count]]
        made = {f"without every {n}th": [_without(text, n) for text in references] for n in range(7, 1, -1)}
        return made, references
    written = _mtbench()
    # bert_score crashes on an empty answer
    answered = [i for i, texts in enumerate(zip(*written.values(), strict=True)) if all(map(str.strip, texts))]
    # Chinese or code has hundreds of tokens in 50 "words", to which the library pads every text of a batch
    found = {
        model: [cut(texts[i], words)[: LETTERS * words] for i in answered[:count]] for model, texts in written.items()
    }
    references = found.pop(REFERENCE)
    return found, references


def cut(text: str, words: int) -> str:
    """Its first words, white space between them as it is."""
    found = re.match(rf"(?:\s*\S+){{0,{words}}}", text)
    return found.group() if found else ""


def size(text: str) -> int:
    """In words."""
    return len(text.split())


def _without(text: str, n: int) -> str:
    return " ".join(word for i, word in enumerate(text.split(), 1) if i % n)


def _lines(path: Path) -> Iterator[Any]:
    with path.open(encoding="utf-8") as file:
        yield from map(json.loads, file)


def _reddit() -> Iterator[str]:
    for row in _lines(SHARED / "eli5" / "explainlikeimfive.jsonl"):
        yield from row["answers"]["text"]


def _mtbench() -> dict[str, list[str]]:
    """Model → its 160 answers, the reference model last."""
    folder = SHARED / "mtbench" / "model_answer"
    names = sorted((path.stem for path in folder.glob("*.jsonl")), key=lambda name: (name == REFERENCE, name))
    return {
        name: [turn for row in _lines(folder / f"{name}.jsonl") for turn in row["choices"][0]["turns"]]
        for name in names
    }


def _demo(words: int) -> list[str]:
    """Every stretch of its texts that has that many words and begins where one does."""
    texts = [row["answer"] for name in ("eli5", "wiki") for row in _lines(DEMO / name / "validation.jsonl")]
    joined = ["\n".join((texts * 2)[i : i + 12]) for i in range(len(texts))]
    return [cut(text, words) for text in joined]
