"""Where documents come from: the folder `S2_DATA_DIR`, or the Hugging Face hub; nothing falls back silently.

Layout and field names are those of the hub data sets (docs/data.md):
`DIR/arc_challenge/{train,test}.jsonl`, `DIR/mmlu/<subject>/{dev,test}.jsonl`, `DIR/eli5/validation.jsonl` …
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from s2eval import jsonl
from s2eval.errors import DataError, PrerequisiteError, UnknownNameError

VARIABLE = "S2_DATA_DIR"
SUBJECTS_VARIABLE = "S2_MMLU_SUBJECTS"

Text = Annotated[str, StringConstraints(min_length=1)]


class _Row(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class ArcChoices(_Row):
    text: list[Text] = Field(min_length=2)  # not "": acc_norm divides by the number of characters
    label: list[str] = Field(min_length=2)


class ArcRow(_Row):
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


class HellaswagRow(_Row):
    """One context of HellaSwag."""

    activity_label: str
    ctx_a: str
    ctx_b: str
    endings: list[str] = Field(min_length=4, max_length=4)
    label: Annotated[str, StringConstraints(pattern="^[0-3]$")]


class McTargets(_Row):
    choices: list[Text] = Field(min_length=2)
    labels: list[Annotated[int, Field(ge=0, le=1)]] = Field(min_length=2)

    @model_validator(mode="after")
    def _labelled(self) -> McTargets:
        if len(self.choices) != len(self.labels):
            raise ValueError(f"{len(self.choices)} choices, but {len(self.labels)} labels")
        if len(set(self.labels)) < 2:
            raise ValueError("labels: need a true choice (1) and a false one (0)")
        return self


class TruthfulqaRow(_Row):
    """One question of TruthfulQA, multiple choice."""

    question: Text
    mc2_targets: McTargets


class MmluRow(_Row):
    """One question of MMLU."""

    question: Text
    choices: list[str] = Field(min_length=4, max_length=4)
    answer: Annotated[int, Field(ge=0, le=3)]


class PairRow(_Row):
    """One question with its reference answer (ELI5, Simple Wikipedia, both)."""

    id: Text
    question: Text
    answer: Text
    source: str = ""


R = TypeVar("R", bound=_Row)


@dataclass(frozen=True, slots=True)
class Source(Generic[R]):
    """A data set: its folder below `S2_DATA_DIR`, its row type and its place on the hub.

    Attributes:
        folder: folder below the data directory; MMLU adds the subject.
        row: pydantic model of one line.
        hub, hub_config: repository and configuration on the Hugging Face hub; None where there is none.
        hint: how to come by the files where the hub has none.
    """

    folder: str
    row: type[R]
    hub: str | None = None
    hub_config: str | None = None
    hint: str = ""

    def part(self, name: str) -> Source[R]:
        """The source of one part, e.g. an MMLU subject; its hub configuration has the part's name."""
        return Source(f"{self.folder}/{name}", self.row, self.hub, name, self.hint)


ARC = Source("arc_challenge", ArcRow, "allenai/ai2_arc", "ARC-Challenge")
HELLASWAG = Source("hellaswag", HellaswagRow, "Rowan/hellaswag")
TRUTHFULQA = Source("truthfulqa", TruthfulqaRow, "truthfulqa/truthful_qa", "multiple_choice")
MMLU = Source("mmlu", MmluRow, "cais/mmlu")
PAIRS = {
    "eli5": Source("eli5", PairRow, hint="make it with: s2train data eli5 --input FILE --out DIR"),
    "wiki": Source("wiki", PairRow, hint="make it with: s2train data wiki --input FILE --out DIR"),
    "full": Source("full", PairRow, hint="`s2train data` makes it as soon as DIR holds both eli5 and wiki"),
}


def directory() -> Path | None:
    """The folder that `S2_DATA_DIR` names, or None for the hub.

    Raises:
        DataError: the variable names something that is not a folder.
    """
    value = os.environ.get(VARIABLE)
    if not value:
        return None
    path = Path(value).expanduser()
    if not path.is_dir():
        raise DataError(f"{VARIABLE}={value}: no such folder. Unset it to read from the hub")
    return path


def load(source: Source[R], split: str, root: Path | None) -> list[R]:
    """All rows of one split, checked.

    Args:
        source: one of the table above.
        split: `train`, `validation`, `test` or `dev`.
        root: a folder in the layout of `S2_DATA_DIR`; None reads from the hub.

    Raises:
        DataError: no such file, or a line that is not what it should be (file, line number and field are named).
        PrerequisiteError: the hub cannot be reached.
    """
    if root is None:
        return _load_hub(source, split)
    path = root / source.folder / f"{split}.jsonl"
    if not path.is_file():
        raise DataError(f"{path}: no such file ({_elsewhere(source)})")
    rows = [_parse(source, f"{path}, line {number}", record) for number, record in jsonl.records(path)]
    if not rows:
        raise DataError(f"{path}: no rows")
    return rows


def _elsewhere(source: Source[Any]) -> str:
    if source.hub is None:
        return f"the folder is what {VARIABLE} says; {source.hint}"
    config = f", configuration {source.hub_config}" if source.hub_config else ""
    return f"the folder is what {VARIABLE} says; without it the hub's {source.hub}{config} is read"


def _parse(source: Source[R], where: str, record: Any) -> R:
    try:
        return source.row.model_validate(record)
    except ValidationError as error:
        raise DataError(f"{where}: {describe(error)}") from error


def describe(error: ValidationError) -> str:
    """A pydantic error in a line: `field: what is wrong`, several separated by semicolons."""
    parts: list[str] = []
    for item in error.errors(include_url=False):
        field = ".".join(str(step) for step in item["loc"])
        message = item["msg"].removeprefix("Value error, ")
        parts.append(f"{field}: {message}" if field else message)
    return "; ".join(parts)


def _load_hub(source: Source[R], split: str) -> list[R]:
    if source.hub is None:
        raise DataError(f"the data set {source.folder!r} is not on the hub: set {VARIABLE}=DIR; {source.hint}")
    import datasets

    try:
        rows = datasets.load_dataset(source.hub, source.hub_config, split=split)
    except Exception as error:  # the library raises a dozen unrelated classes when offline
        raise PrerequisiteError(
            f"cannot read {source.hub} ({split}) from the Hugging Face hub: {error}. "
            f"Check the network, or set {VARIABLE} to a folder with {source.folder}/{split}.jsonl"
        ) from error
    plain = map(json.loads, map(json.dumps, rows))  # the types that a file has
    return [_parse(source, f"{source.hub} {split}, row {number}", row) for number, row in enumerate(plain)]


def mmlu_subjects(root: Path | None, known: tuple[str, ...]) -> tuple[str, ...]:
    """The MMLU subjects to evaluate: all, or what `S2_MMLU_SUBJECTS` says.

    Args:
        root: data folder, None for the hub.
        known: all subjects, in the leaderboard's order.

    Returns:
        Names in the order of `known`.

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
        found = tuple(name for name in known if (root / "mmlu" / name / "test.jsonl").is_file())
        if not found:
            raise DataError(f"{root / 'mmlu'}: no <subject>/test.jsonl of any MMLU subject")
        return found
    names = [name.strip() for name in value.split(",") if name.strip()]
    if not names:
        raise DataError(f"{SUBJECTS_VARIABLE}={value}: names no subject. Unset it for all {len(known)}")
    for name in names:
        if name not in known:
            raise UnknownNameError("MMLU subject", name, known, see="docs/leaderboard.md")
    return tuple(name for name in known if name in names)
