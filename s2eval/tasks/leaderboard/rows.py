"""The leaderboard's data sets: their rows, where they are, and MMLU's subjects."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from pydantic import Field, StringConstraints, model_validator

from s2eval.data import VARIABLE, Row, Source, Text
from s2eval.errors import DataError, UnknownNameError

SUBJECTS_VARIABLE = "S2_MMLU_SUBJECTS"

# All 57, in the leaderboard's (alphabetical) order.
_SUBJECTS = """
abstract_algebra anatomy astronomy business_ethics clinical_knowledge college_biology college_chemistry
college_computer_science college_mathematics college_medicine college_physics computer_security conceptual_physics
econometrics electrical_engineering elementary_mathematics formal_logic global_facts high_school_biology
high_school_chemistry high_school_computer_science high_school_european_history high_school_geography
high_school_government_and_politics high_school_macroeconomics high_school_mathematics high_school_microeconomics
high_school_physics high_school_psychology high_school_statistics high_school_us_history high_school_world_history
human_aging human_sexuality international_law jurisprudence logical_fallacies machine_learning management marketing
medical_genetics miscellaneous moral_disputes moral_scenarios nutrition philosophy prehistory
professional_accounting professional_law professional_medicine professional_psychology public_relations
security_studies sociology us_foreign_policy virology world_religions
"""
SUBJECTS = tuple(_SUBJECTS.split())


class ArcChoices(Row):
    """The choices of an ARC question, each with its label."""

    text: list[Text] = Field(min_length=2)  # not "": acc_norm divides by the number of characters
    label: list[str] = Field(min_length=2)


class ArcRow(Row):
    """One question of ai2_arc, ARC-Challenge."""

    id: str
    question: Text
    choices: ArcChoices
    answerKey: Text  # noqa: N815  (the data set's name)

    @model_validator(mode="after")
    def _gold_exists(self) -> ArcRow:
        if len(self.choices.text) != len(self.choices.label):
            raise ValueError("choices: text and label differ in length")
        if self.answerKey not in self.choices.label:
            raise ValueError(f"answerKey: {self.answerKey!r} is not among the labels {self.choices.label}")
        return self

    @property
    def gold(self) -> int:
        """Index of the correct choice."""
        return self.choices.label.index(self.answerKey)

    def texts(self) -> tuple[str, ...]:
        return self.question, self.choices.text[self.gold]


class HellaswagRow(Row):
    """One context of HellaSwag."""

    activity_label: str
    ctx_a: str
    ctx_b: str
    endings: list[str] = Field(min_length=4, max_length=4)
    label: Annotated[str, StringConstraints(pattern="^[0-3]$")]

    def texts(self) -> tuple[str, ...]:
        return f"{self.ctx_a} {self.ctx_b}", self.endings[int(self.label)]


class McTargets(Row):
    """The choices of TruthfulQA's mc2, each true (1) or false (0)."""

    choices: list[Text] = Field(min_length=2)
    labels: list[Annotated[int, Field(ge=0, le=1)]] = Field(min_length=2)

    @model_validator(mode="after")
    def _labelled(self) -> McTargets:
        if len(self.choices) != len(self.labels):
            raise ValueError(f"{len(self.choices)} choices, but {len(self.labels)} labels")
        if len(set(self.labels)) < 2:
            raise ValueError("labels: need a true choice (1) and a false one (0)")
        return self


class TruthfulqaRow(Row):
    """One question of TruthfulQA, multiple choice."""

    question: Text
    mc2_targets: McTargets

    def texts(self) -> tuple[str, ...]:
        choices = zip(self.mc2_targets.labels, self.mc2_targets.choices, strict=True)
        return (self.question, *(text for label, text in choices if label == 1))


class MmluRow(Row):
    """One question of MMLU."""

    question: Text
    choices: list[str] = Field(min_length=4, max_length=4)
    answer: Annotated[int, Field(ge=0, le=3)]

    def texts(self) -> tuple[str, ...]:
        return self.question, self.choices[self.answer]


ARC = Source("arc_challenge", ArcRow, "allenai/ai2_arc", "ARC-Challenge")
HELLASWAG = Source("hellaswag", HellaswagRow, "Rowan/hellaswag")
TRUTHFULQA = Source("truthfulqa", TruthfulqaRow, "truthfulqa/truthful_qa", "multiple_choice")
MMLU = Source("mmlu", MmluRow, "cais/mmlu")


def mmlu_subjects(root: Path | None, known: tuple[str, ...] = SUBJECTS) -> tuple[str, ...]:
    """The MMLU subjects to evaluate, in the order of `known`: all, or those of `S2_MMLU_SUBJECTS`.

    Args:
        root: data folder, None for the hub.

    Raises:
        UnknownNameError: a name that is no subject.
        DataError: `present` without a data folder, or with none in it.
    """
    value = os.environ.get(SUBJECTS_VARIABLE, "").strip()
    if not value:
        return known
    if value == "present":
        if root is None:
            raise DataError(f"{SUBJECTS_VARIABLE}=present needs {VARIABLE}")
        present = tuple(name for name in known if (root / "mmlu" / name / "test.jsonl").is_file())
        if not present:
            raise DataError(f"{root / 'mmlu'}: no <subject>/test.jsonl of any MMLU subject")
        return present
    names = [name.strip() for name in value.split(",") if name.strip()]
    if not names:
        raise DataError(f"{SUBJECTS_VARIABLE}={value}: names no subject. Unset it for all {len(known)}")
    for name in names:
        if name not in known:
            raise UnknownNameError("MMLU subject", name, known, see="docs/leaderboard.md")
    return tuple(name for name in known if name in names)
