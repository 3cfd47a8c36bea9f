"""Training sets by evaluation sets: where a training set is known from, the diagonal, the gaps."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from s2eval.records import Row
from s2eval.report import render_markdown, sources
from s2eval.report.build import Report
from s2eval.report.document import Table
from s2eval.report.read.items import Item, Scored
from s2eval.report.tables.training_sets import is_diagonal, matrices, training_set
from tests.report import lm_eval_logs as logs


@pytest.mark.parametrize(
    ("trained_on", "reference", "group", "expected"),
    [
        ("ELI5", "Llama-2-7b-wiki", None, "eli5"),  # what the configuration says comes first
        (None, "Llama-2-7b-ELI5", None, "eli5"),
        (None, "Llama-2-7b-ELI5-wiki", None, "full"),
        (None, "Llama-2-7b-ELI5-wiki-simple-merge", None, "full"),
        (None, "Llama-2-13b-wiki", "mine", "wiki"),
        (None, "Llama-2-7b", None, "none"),
        (None, "Llama-2-7b-chat", None, "none"),
        (None, None, "Wiki", "wiki"),
        (None, None, "mine", None),
        ("dolly", None, None, "dolly"),
        (None, None, None, None),
    ],
)
def test_where_a_training_set_is_known_from(
    trained_on: str | None, reference: str | None, group: str | None, expected: str | None
) -> None:
    assert training_set(trained_on, reference, group) == expected


def row(model: str, task: str, value: float, metric: str = "s2_rouge1") -> Row:
    return Row(model, model, None, task, "", "", "", metric, value, 0.01, value - 0.02, value + 0.02, 20, 20, "0")


def scored(model: str, task: str, value: float, group: str = "") -> Scored:
    items = tuple(Item(str(n), str(n), "p", {"s2_rouge1": value + n / 1000 * value}) for n in range(20))
    return Scored(model, task, items, group=group)


VALUES = {  # model: trained on, scores on ELI5 and wiki
    "base": ("none", 0.10, 0.12),
    "m-eli5": ("eli5", 0.20, 0.14),
    "m-wiki": ("wiki", 0.15, 0.25),
    "m-full": ("full", 0.19, 0.24),
    "m-other": ("dolly", 0.13, 0.13),
}
TRAINED = {model: trained for model, (trained, *_) in VALUES.items()}
ROWS = [
    row(model, task, value)
    for model, (_, *values) in VALUES.items()
    for task, value in zip(("s2_eli5", "s2_wiki"), values, strict=True)
]
SCORED = [scored(row.model, row.task, row.value or 0.0) for row in ROWS]


def tables(rows: list[Row], trained: dict[str, str], samples: list[Scored]) -> list[Table]:
    return list(matrices(rows, list(VALUES), trained, samples))


def test_the_matrix_and_its_diagonal() -> None:
    matrix = tables(ROWS, TRAINED, [])[0]
    assert (matrix.kind, matrix.columns) == ("matrix", ("ELI5", "wiki"))
    found = {row.header: [(cell.text, cell.diagonal) for cell in row.cells] for row in matrix.rows}
    assert found == {
        ("ROUGE-1", "none", "base"): [("0.1000", False), ("0.1200", False)],
        ("ROUGE-1", "ELI5", "m-eli5"): [("0.2000", True), ("0.1400", False)],
        ("ROUGE-1", "wiki", "m-wiki"): [("0.1500", False), ("0.2500", True)],
        ("ROUGE-1", "full", "m-full"): [("0.1900", False), ("0.2400", False)],
        ("ROUGE-1", "dolly", "m-other"): [("0.1300", False), ("0.1300", False)],
    }
    assert [row.header[1] for row in matrix.rows] == ["none", "ELI5", "wiki", "full", "dolly"]


def test_gaps_are_diagonal_less_what_lacks_the_data() -> None:
    _, gaps = tables(ROWS, TRAINED, SCORED)
    found = {(row.header[0], *row.header[1:]): row.cells[2].text for row in gaps.rows}
    # each value times the mean of 1 + n/1000, n from 0 to 19: 1.0095. `full` contains both, and is no gap to either;
    # a model that was trained on nothing is on neither side.
    assert found == {
        ("ELI5, ROUGE-1", "m-eli5", "m-wiki"): f"{(0.20 - 0.15) * 1.0095:.4f}",
        ("ELI5, ROUGE-1", "m-eli5", "m-other"): f"{(0.20 - 0.13) * 1.0095:.4f}",
        ("wiki, ROUGE-1", "m-wiki", "m-eli5"): f"{(0.25 - 0.14) * 1.0095:.4f}",
        ("wiki, ROUGE-1", "m-wiki", "m-other"): f"{(0.25 - 0.13) * 1.0095:.4f}",
    }
    assert {row.cells[4].text for row in gaps.rows} == {"difference shown: higher (better)"}
    # Holm over all four: the smallest p of sign flips that 10,000 draws can tell, times four
    assert max(row.cells[3].value or 0 for row in gaps.rows) == pytest.approx(4 / 10_001, rel=0.5)


def test_seeds_of_a_recipe_are_one_side_of_a_gap() -> None:
    rows = [*ROWS, row("m-eli5-2", "s2_eli5", 0.21), row("m-eli5-2", "s2_wiki", 0.15)]
    samples = [one for one in SCORED if one.model != "m-eli5"]
    samples += [scored(name, "s2_eli5", value, "ours") for name, value in (("m-eli5", 0.20), ("m-eli5-2", 0.21))]
    trained = {**TRAINED, "m-eli5-2": "eli5"}
    _, gaps = list(matrices(rows, [*VALUES, "m-eli5-2"], trained, samples))
    assert {row.header[1] for row in gaps.rows if row.header[0] == "ELI5, ROUGE-1"} == {"ours"}


@pytest.mark.parametrize(
    ("trained", "rows"),
    [
        ({}, ROWS),
        ({"base": "none", "m-other": "dolly"}, ROWS),  # none on the diagonal
        (dict.fromkeys(VALUES, "eli5"), ROWS),  # one training set
        (TRAINED, [row for row in ROWS if row.task == "s2_eli5"]),  # one evaluation set
    ],
)
def test_no_matrix_where_it_would_show_nothing(trained: dict[str, str], rows: list[Row]) -> None:
    assert not tables(rows, trained, SCORED)


def test_without_samples_no_gap_is_tested() -> None:
    assert len(tables(ROWS, TRAINED, [])) == 1


def test_diagonal() -> None:
    assert is_diagonal("full", "full")
    assert not is_diagonal("full", "eli5")
    assert not is_diagonal("none", "wiki")


def test_a_run_that_says_what_its_models_were_trained_on(tmp_path: Path) -> None:
    scores = {"on-eli5": (0.31, 0.11), "on-wiki": (0.2, 0.4)}
    for model, of_sets in scores.items():
        for task, mean in zip(("s2_eli5", "s2_wiki"), of_sets, strict=True):
            lines = [logs.line(n, s2_rouge1=mean * (1 + n / 1000)) for n in range(20)]
            logs.write(tmp_path / "made", model, {task: lines})
            (tmp_path / model).mkdir(exist_ok=True)
            (tmp_path / "made" / model).rename(tmp_path / model / task)
            (tmp_path / model / task / "unit.json").write_text(json.dumps({"key": f"{model}{task}", "model": model}))
    models = [{"name": name, "model": name, "trained_on": name.removeprefix("on-")} for name in scores]
    config = {"name": "run", "models": models, "tasks": ["s2_eli5", "s2_wiki"]}
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(config))
    document = Report([sources.read(tmp_path)]).document
    assert [table.key for table in document.tables] == ["s2_rouge", "s2_matrix", "s2_gaps_differences"]
    text = render_markdown(document)
    # 0.31 and 0.4 times 1.0095, less 0.2 and 0.11 times it
    assert "0.3129‡" in text
    assert "0.4038‡" in text
    assert {row.header: row.cells[2].text for row in document.tables[2].rows} == {
        ("ELI5, ROUGE-1", "on-eli5", "on-wiki"): "0.1110",
        ("wiki, ROUGE-1", "on-wiki", "on-eli5"): "0.2928",
    }
