"""Made-up posts with answers, to be compared."""

from __future__ import annotations

from typing import Any

from s2train.data.preferences import Outcome, VotedRecord

TEN = "one two three four five six seven eight nine"  # and a tenth word, to tell answers apart

EASY = "The sun is hot. It gives us light. We see it in the day. It is far away. We can not go there at all."
HARD = "Thermonuclear reactions continuously transform hydrogen into helium, whereupon considerable electromagnetic"
HARD += " radiation traverses interplanetary distances, illuminating the terrestrial hemisphere during daylight hours."


def record(*answers: tuple[str, int], ids: str | None = None, **more: Any) -> VotedRecord:
    """A post; `ids` holds one base-36 digit an answer."""
    lists: dict[str, Any] = {"text": [text for text, _ in answers], "score": [score for _, score in answers]}
    if ids is not None:
        lists["a_id"] = [f"f00d{digit}" for digit in ids]
    lists |= {"created_utc": more.pop("created_utc")} if "created_utc" in more else {}
    return VotedRecord.model_validate({"title": "Why is the sky blue?", "answers": lists, **more})


def helpful(*scores: int, **more: Any) -> VotedRecord:
    return record(*((f"{TEN} {chr(97 + n)}.", score) for n, score in enumerate(scores)), **more)


def refused(outcome: Outcome) -> dict[str, int]:
    return {reason: count for reason, count in outcome.refused.items() if count}
