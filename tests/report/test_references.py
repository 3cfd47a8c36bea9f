"""The published numbers: complete, consistent with themselves, found by one name per model."""

from __future__ import annotations

import csv
from decimal import Decimal
from pathlib import Path

import pytest

from s2eval import paths
from s2eval.errors import PrerequisiteError, UnknownNameError
from s2eval.report import load_references

SEVEN = ["Llama-2-7b", "Llama-2-7b-ELI5", "Llama-2-7b-wiki", "Llama-2-7b-ELI5-wiki"]
SIMPLE = [f"{name}-simple-merge" for name in SEVEN[1:]]
THIRTEEN = [name.replace("7b", "13b") for name in SEVEN]
CANONICAL = {*SEVEN, *SIMPLE, *THIRTEEN, "Llama-2-7b-chat", "Llama-2-13b-chat"}

ROWS = {  # models × data sets
    "leaderboard": 10,
    "rouge": 4 * 3,
    "bertscore": 4 * 3,
    "readability": 4 * 3,
    "mtbench": 8,
    "mtbench_readability": 8,
}
DATASETS = ["ELI5", "wiki", "full"]


def read(table: str) -> list[dict[str, str]]:
    with (paths.references() / f"{table}.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def numbers(line: dict[str, str]) -> dict[str, Decimal]:
    return {key: Decimal(text) for key, text in line.items() if key not in ("model", "dataset", "source")}


def test_the_folder_holds_these_tables_and_no_other() -> None:
    assert {file.stem for file in paths.references().glob("*.csv")} == set(ROWS)


@pytest.mark.parametrize("table", ROWS)
def test_rows_models_and_sources(table: str) -> None:
    lines = read(table)
    names = [(line.get("dataset", ""), line["model"]) for line in lines]
    assert len(names) == len(set(names)) == ROWS[table]
    assert {model for _, model in names} <= CANONICAL
    assert all(number.is_finite() for line in lines for number in numbers(line).values())
    assert all(line["source"].startswith("Training LLMs on Simple, Safe Text, 24 September 2023, ") for line in lines)


def test_every_canonical_name_is_used() -> None:
    assert {line["model"] for table in ROWS for line in read(table)} == CANONICAL


@pytest.mark.parametrize("table", ["rouge", "bertscore", "readability"])
def test_qa_tables_hold_four_models_in_the_same_order_for_each_set(table: str) -> None:
    found = [(line["dataset"], line["model"]) for line in read(table)]
    assert found == [(dataset, model) for dataset in DATASETS for model in SEVEN]


def test_each_average_is_the_mean_of_its_four() -> None:
    for line in read("leaderboard"):
        average, *four = numbers(line).values()
        # Rounded to two decimals: off by half of the last digit at most. No row is an exception.
        assert abs(average - sum(four) / 4) <= Decimal("0.005"), line["model"]


def test_mtbench_scores_are_sixtieths() -> None:
    """60 questions; a verdict may be a half: score × 120 is whole, up to the six printed decimals."""
    for line in read("mtbench"):
        for score in numbers(line).values():
            halves = score * 120
            assert abs(halves - round(halves)) <= 120 * Decimal("0.0000005"), line
            assert 1 <= score <= 10


def test_mtbench_tables_have_the_same_models_in_the_same_order() -> None:
    order = [line["model"] for line in read("mtbench")]
    assert order == [line["model"] for line in read("mtbench_readability")]
    singles = [Decimal(line["single"]) for line in read("mtbench")]
    assert singles == sorted(singles, reverse=True)  # printed from the best to the worst


def test_rouge_l_never_exceeds_lsum_and_lsum_never_rouge_1() -> None:
    """ROUGE-L and -Lsum match a part of the words that ROUGE-1 matches, over the same denominators."""
    for line in read("rouge"):
        value = numbers(line)
        assert 0 < value["rougeL"] <= value["rougeLsum"] <= value["rouge1"] < 1, line
        assert value["rouge2"] <= value["rougeL"], line


def test_bertscore_f1_fits_precision_and_recall() -> None:
    """The mean of the answers' harmonic means is at most the harmonic mean of the means (Jensen)."""
    half_a_digit = Decimal("0.00005")
    for line in read("bertscore"):
        p, r, f1 = numbers(line).values()
        assert min(p, r) <= f1 <= 2 * p * r / (p + r) + 2 * half_a_digit, line
        assert f1 >= 2 * p * r / (p + r) - Decimal("0.001"), line  # and not far below: the answers are alike


def test_readability_has_the_decimals_that_textstat_rounded_to() -> None:
    """Whole texts: FRE to 2 decimals, FKG to 1. Means over 100 answers: two decimals more each."""
    for line in read("mtbench_readability"):
        value = numbers(line)
        assert value["fre"] == round(value["fre"], 2)
        assert value["fkg"] == round(value["fkg"], 1), line
    for line in read("readability"):
        value = numbers(line)
        assert value["fre"] == round(value["fre"], 4)
        assert value["fkg"] == round(value["fkg"], 3)
        assert 50 < value["fre"] < 80
        assert 6 < value["fkg"] < 12


@pytest.mark.parametrize(
    ("row", "table", "dataset", "metric", "text"),
    [  # read off the issue by eye
        ("Llama-2-7b", "leaderboard", "", "average", "53.40"),  # the trailing zero is kept
        ("Llama-2-13b-ELI5-wiki", "leaderboard", "", "truthfulqa", "39.90"),
        ("Llama-2-7b-ELI5", "rouge", "wiki", "rouge2", "0.0125"),
        ("Llama-2-7b-ELI5-wiki", "bertscore", "full", "f1", "0.7941"),
        ("Llama-2-7b-wiki", "readability", "ELI5", "fkg", "10.526"),
        ("Llama-2-7b-chat", "mtbench", "", "multi", "8.80"),
        ("Llama-2-7b", "mtbench_readability", "", "fre", "29.86"),
        ("Llama-2-13b", "rouge", "ELI5", "rouge1", None),  # the paper has no 13B models there
        ("Llama-2-7b", "leaderboard", "", "winogrande", None),
    ],
)
def test_published(row: str, table: str, dataset: str, metric: str, text: str | None) -> None:
    assert load_references().published(row, table, dataset, metric) == text


def test_an_unknown_row_is_told_with_the_nearest_name() -> None:
    with pytest.raises(UnknownNameError, match=r"'Llama-2-7b-ELI'; did you mean 'Llama-2-7b-ELI5'\?.*README"):
        load_references().published("Llama-2-7b-ELI", "rouge", "ELI5", "rouge1")


def test_an_empty_folder_is_an_incomplete_installation(tmp_path: Path) -> None:
    with pytest.raises(PrerequisiteError, match="Install s2eval again"):
        load_references(tmp_path)


def test_any_csv_of_that_layout_is_read(tmp_path: Path) -> None:
    (tmp_path / "ours.csv").write_text('model,speed,source\nfast,1.50,"Somebody, 2025"\n', encoding="utf-8")
    book = load_references(tmp_path)
    assert book.model_rows == ("fast",)
    assert book.published("fast", "ours", "", "speed") == "1.50"
    assert book.sources("ours") == ("Somebody, 2025",)
