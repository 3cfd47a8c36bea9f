"""scores.csv: read back as it was written, and told where it is broken."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from s2eval import store
from s2eval.errors import DataError
from s2eval.records import Row
from tests.store.rows import ROW

# without "\r", which no name has (config.Name) and which Python's csv does not quote before 3.13
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), max_size=12)
numbers = st.none() | st.floats(allow_nan=False, allow_infinity=False)
rows = st.builds(
    Row,
    model=texts,
    group=texts,
    seed=st.none() | st.integers(),
    task=texts,
    subset=texts,
    judge=texts,
    turn=texts,
    metric=texts,
    value=numbers,
    stderr=numbers,
    ci_low=numbers,
    ci_high=numbers,
    n=st.integers(0),
    n_valid=st.integers(0),
    provenance=texts,
)
COLUMNS = "model,group,seed,task,subset,judge,turn,metric,value,stderr,ci_low,ci_high,n,n_valid,provenance"


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(rows, max_size=4))
def test_scores_are_read_as_they_were_written(tmp_path: Path, written: list[Row]) -> None:
    store.write_scores(tmp_path / "scores.csv", written)
    assert store.read_scores(tmp_path / "scores.csv") == written


def test_scores_are_a_plain_table(tmp_path: Path) -> None:
    store.write_scores(tmp_path / "scores.csv", [ROW])
    # the float in full, absent values empty
    line = "mine,eli5,3,s2_mmlu,anatomy,,,acc,0.30000000000000004,,,,10,9,00ff"
    assert (tmp_path / "scores.csv").read_bytes() == f"{COLUMNS}\n{line}\n".encode()


@pytest.mark.parametrize("number", ["nan", "inf", "-Infinity"])
def test_what_is_no_number_is_no_score(tmp_path: Path, number: str) -> None:
    """As version 0.1.0 wrote the aggregates of lm-eval."""
    path = tmp_path / "scores.csv"
    path.write_text(f"{COLUMNS}\nmine,eli5,3,s2_mmlu,anatomy,,,acc,{number},0.1,{number},{number},10,10,00ff\n")
    (row,) = store.read_scores(path)
    assert (row.value, row.stderr, row.ci_low, row.ci_high, row.n, row.n_valid) == (None, None, None, None, 10, 0)


@pytest.mark.parametrize(
    "name",
    ["=HYPERLINK(1)", "+1", "-5", "@SUM(1)", "\t=1", "\n=1", "＝1", "'=1", "''-1", " =1"],
)
def test_a_name_is_no_formula_and_is_read_back(tmp_path: Path, name: str) -> None:
    row = replace(ROW, model=name, group=name, task=name, subset=name, judge=name, metric=name, value=-0.5)
    path = tmp_path / "scores.csv"
    store.write_scores(path, [row])
    with path.open(encoding="utf-8", newline="") as file:
        [cells] = csv.DictReader(file)
    assert [cells[column] for column in ("model", "group", "task", "subset", "judge", "metric")] == [f"'{name}"] * 6
    assert cells["value"] == "-0.5"  # a number stays one
    assert store.read_scores(path) == [row]


def test_files_of_version_0_1_0_have_the_names_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "scores.csv"
    path.write_text(f"{COLUMNS}\n=x,'quoted',3,s2_mmlu,,,,acc,0.5,,,,10,9,00ff\n")
    (row,) = store.read_scores(path)
    assert (row.model, row.group) == ("=x", "'quoted'")


def test_a_missing_column_is_told(tmp_path: Path) -> None:
    path = tmp_path / "scores.csv"
    path.write_text(COLUMNS.replace("n_valid,", "").replace("judge,", "") + "\n")
    with pytest.raises(DataError) as caught:
        store.read_scores(path)
    assert str(caught.value) == f"{path}: no column judge, n_valid"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("m,g,,t,,,,acc,much,,,,1,1,ff", "much"),
        ("m,g,one,t,,,,acc,0.5,,,,1,1,ff", "one"),
        ("m,g,,t,,,,acc,0.5,,,,1,,ff", "invalid literal"),
        ("m,g,,t,,,,acc,0.5,,,,1,1", "fields"),  # the end of a file that was cut off
        ("m,g,,t,,,,acc,0,5,,,,1,1,ff", "fields"),  # a decimal comma
    ],
)
def test_a_broken_line_of_scores_is_told_with_its_number(tmp_path: Path, line: str, told: str) -> None:
    path = tmp_path / "scores.csv"
    good = '"a\nmodel",g,,t,,,,acc,0.5,,,,1,1,ff'  # takes the lines 2 and 3
    path.write_text(f"{COLUMNS}\n{good}\n{line}\n")
    with pytest.raises(DataError) as caught:
        store.read_scores(path)
    assert str(caught.value).startswith(f"{path}, line 4: ")
    assert told in str(caught.value)


def test_scores_that_are_not_utf_8_are_told(tmp_path: Path) -> None:
    path = tmp_path / "scores.csv"
    path.write_bytes(COLUMNS.encode() + b"\n\xff\n")
    with pytest.raises(DataError) as caught:
        store.read_scores(path)
    assert str(path) in str(caught.value)
