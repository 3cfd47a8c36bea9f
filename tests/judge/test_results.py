"""What a judged benchmark leaves on disk, and the tables that are made of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from s2eval.errors import DataError, UsageError
from s2eval.judge import bench, results
from s2eval.judge.ask.judging import JudgeSettings
from s2eval.judge.judgments import read_single, summarize
from s2eval.judge.suite.definition import Suite, load
from s2eval.judge.suite.questions import read_answers
from s2eval.llm.calls import Call
from s2eval.llm.ledger import Ledger
from s2eval.report import sources
from s2eval.report.read import item_scores
from s2eval.report.tables.judged import WARNING, judged_tables, mixed, notes_of
from tests.judge.judges import client, handle, memory


@pytest.fixture
def suite() -> Suite:
    return load("mtsbench").part({1, 2, 51, 52})


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    with Ledger.open(memory()) as store:
        yield store


def rated(suite: Suite, ledger: Ledger, name: str = "ours", judge: str = "gpt-4") -> bench.Result:
    """The first turn gets 8, the second 5; that of question 2 cannot be read."""

    def verdict(call: Call) -> str:
        text = call.messages[-1].content
        if suite.questions[1].turns[1] in text:
            return "Hard to say."
        return "Clear.\nRating: [[5]]" if "[First Question]" in text else "Clear.\nRating: [[8]]"

    model, _ = handle(name, lambda call: f"Well. {name} says: {call.messages[-1].content}")
    by, _ = handle(judge, verdict)
    return bench.rate(suite, model, JudgeSettings(by), 1, client(ledger))


def test_judgments_are_read_back_to_the_same_scores(tmp_path: Path, suite: Suite, ledger: Ledger) -> None:
    stored = results.write(tmp_path, rated(suite, ledger))
    (summary,) = summarize(read_single(tmp_path / "ours" / "mtbench" / "gpt-4" / "judgments.jsonl"))
    assert (summary.first.value, summary.second.value, summary.second.n_valid, summary.second.n) == (8.0, 5.0, 3, 4)
    values = {row.turn: row.value for row in stored.rows if row.metric == "s2_judge_score" and not row.subset}
    assert values == {"1": 8.0, "2": 5.0, "": pytest.approx((4 * 8 + 3 * 5) / 7)}
    assert stored.facts["refused"] == {"no verdict": 1}


def test_answers_are_a_file_of_fastchats_that_can_be_judged_again(tmp_path: Path, suite: Suite, ledger: Ledger) -> None:
    result = rated(suite, ledger)
    results.write(tmp_path, result)
    again = read_answers(tmp_path / "ours" / "mtbench" / "gpt-4" / "answers.jsonl", suite.questions)
    assert tuple(again) == result.answers.complete


def test_the_files_are_the_same_whenever_they_are_written(tmp_path: Path, suite: Suite, ledger: Ledger) -> None:
    for folder in ("one", "two"):
        results.write(tmp_path / folder, rated(suite, ledger))
    names = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*") if path.is_file())
    assert [name.name for name in names] == ["answers.jsonl", "judgments.jsonl", "single.json"]
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_a_failed_call_has_no_score_in_the_file(tmp_path: Path, suite: Suite, ledger: Ledger) -> None:
    from tests.judge.judges import down

    model, _ = handle("ours", lambda _: "Fine.")
    judge, _ = handle("gpt-4", down)
    results.write(tmp_path, bench.rate(suite, model, JudgeSettings(judge), 1, client(ledger)))
    lines = [json.loads(line) for line in (tmp_path / "ours/mtbench/gpt-4/judgments.jsonl").read_text().splitlines()]
    assert {(line["score"], line["judgment"], line["failure"]) for line in lines} == {
        (None, None, "server: 503 from the server")
    }
    (summary,) = summarize(read_single(tmp_path / "ours/mtbench/gpt-4/judgments.jsonl"))
    assert (summary.average.value, summary.average.problems) == (None, {"failed call": 8})


def test_read_gives_what_was_written(tmp_path: Path, suite: Suite, ledger: Ledger) -> None:
    stored = results.write(tmp_path, rated(suite, ledger))
    assert results.read(tmp_path) == [results.Stored(stored.rows, json.loads(json.dumps(stored.facts)))]
    (tmp_path / "ours" / "mtbench" / "gpt-4" / "single.json").write_text("{}")
    with pytest.raises(DataError, match=r"single\.json: not the numbers of a judge"):
        results.read(tmp_path)


def test_tables_of_two_judges_are_apart(tmp_path: Path, suite: Suite, ledger: Ledger) -> None:
    stored = [
        results.write(tmp_path, rated(suite, ledger, name, judge))
        for name in ("ours", "theirs")
        for judge in ("a", "b")
    ]
    rows = [row for one in stored for row in one.rows]
    tables = judged_tables(rows, ["ours", "theirs"], notes=notes_of([one.facts for one in stored]))
    scores = [table for table in tables if "_scores_" in table.key]
    assert [table.title.rpartition(" ")[2].partition("/")[0] for table in scores] == ["a", "b"]
    assert all([row.header for row in table.rows] == [("ours",), ("theirs",)] for table in scores)
    prompts = {table.key.rpartition("/")[2] for table in scores}
    assert prompts == {"strict"}


def test_judges_share_a_table_when_asked_with_a_warning(tmp_path: Path, suite: Suite, ledger: Ledger) -> None:
    stored = [results.write(tmp_path, rated(suite, ledger, "ours", judge)) for judge in ("a", "b")]
    tables = judged_tables(mixed(row for one in stored for row in one.rows), ["ours"])
    (scores,) = [table for table in tables if "_scores_" in table.key]
    assert [row.header[0].partition("/")[0] for row in scores.rows] == ["ours, by a", "ours, by b"]
    assert WARNING in scores.notes


def test_the_tables_hold_the_numbers(tmp_path: Path, suite: Suite, ledger: Ledger) -> None:
    stored = results.write(tmp_path, rated(suite, ledger))
    tables = judged_tables(stored.rows, ["ours"], notes=notes_of([stored.facts]))
    assert [table.key.split("_")[2] for table in tables] == ["scores", "readability", "categories"]
    scores = tables[0]
    cells = dict(zip(scores.columns, scores.rows[0].cells, strict=True))
    assert (cells["Single turn"].text, cells["Single turn"].counts) == ("8.00", "4/4")
    assert (cells["Multi turn"].text, cells["Multi turn"].counts) == ("5.00", "3/4")
    assert any("1 of 8 verdicts could not be read (no verdict 1)" in note for note in scores.notes)
    assert tables[2].columns == ("explaining", "safety")


def test_published_numbers_stand_beside_ours(tmp_path: Path, suite: Suite, ledger: Ledger) -> None:
    stored = results.write(tmp_path, rated(suite, ledger))
    table, readability = judged_tables(stored.rows, ["ours"], {"ours": "Llama-2-7b-ELI5"})[:2]
    assert [cell.published for cell in table.rows[0].cells[:2]] == ["4.116667", "1.733333"]
    assert [cell.published for cell in readability.rows[0].cells[:2]] == ["63.19", "8.50"]
    assert any("own 60 questions" in note for note in table.notes)


def test_two_results_of_one_name_are_refused(tmp_path: Path, suite: Suite, ledger: Ledger) -> None:
    stored = results.write(tmp_path, rated(suite, ledger))
    other = [replace(row, value=1.0) if row.metric == "s2_judge_score" else row for row in stored.rows]
    with pytest.raises(DataError, match="two different numbers"):
        judged_tables([*stored.rows, *other], ["ours"])


def test_a_comparison_has_a_table(tmp_path: Path, suite: Suite, ledger: Ledger) -> None:
    model, _ = handle("ours", lambda _: "OURS")
    other, _ = handle("theirs", lambda _: "THEIRS")

    def choose(call: Call) -> str:
        text = call.messages[-1].content
        return "Verdict: [[A]]" if text.index("OURS") < text.index("THEIRS") else "Verdict: [[C]]"

    judge, _ = handle("gpt-4", choose)
    stored = results.write(tmp_path, bench.compare(suite, model, other, JudgeSettings(judge), client(ledger)))
    (table,) = judged_tables(stored.rows, ["ours"], notes=notes_of([stored.facts]))
    assert table.rows[0].header == ("ours", "theirs")
    # first place: 8 of 8 choices for one of the two were for A; win rate: 8 ties
    assert [cell.text for cell in table.rows[0].cells] == ["50.0", "50.0", "50.0", "0.0", "100.0"]
    assert any("against theirs: 0 won, 8 ties, 0 lost" in note for note in table.notes)


# --- changed files ---------------------------------------------------------------------------------------------


def cut(name: str) -> Callable[[Path], object]:
    def keep_all_but_the_last(folder: Path) -> None:
        lines = (folder / name).read_bytes().splitlines(keepends=True)
        (folder / name).write_bytes(b"".join(lines[:-1]))

    return keep_all_but_the_last


def edited(name: str, old: str, new: str) -> Callable[[Path], object]:
    def edit(folder: Path) -> None:
        text = (folder / name).read_text()
        assert old in text
        (folder / name).write_text(text.replace(old, new, 1))

    return edit


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (cut("judgments.jsonl"), "judgments.jsonl has 7 of 8 lines"),
        (cut("answers.jsonl"), "answers.jsonl has 3 of 4 lines"),
        (edited("judgments.jsonl", "Rating: [[8]]", "Rating: [[9]]"), "judgments.jsonl was changed"),
        (edited("judgments.jsonl", '"score": 8.0', '"score": 9.0'), "judgments.jsonl was changed"),
        (lambda folder: (folder / "judgments.jsonl").write_bytes(b""), "judgments.jsonl has 0 of 8 lines"),
        (lambda folder: (folder / "judgments.jsonl").unlink(), "judgments.jsonl is missing"),
        (edited("single.json", '"value": 8.0', '"value": 9.5'), "was changed"),
        (edited("single.json", '"sha256": ', '"sha": '), "was changed"),
    ],
)
def test_changed_files_of_a_judge_have_no_score(
    tmp_path: Path, suite: Suite, ledger: Ledger, damage: Callable[[Path], object], told: str
) -> None:
    before = results.write(tmp_path, rated(suite, ledger))
    folder = tmp_path / "ours" / "mtbench" / "gpt-4"
    damage(folder)
    assert told in results.problem(folder / "single.json")
    with pytest.raises(DataError, match="Judge again"):
        results.read(tmp_path)
    found, broken = results.read_all(tmp_path)
    assert found == []
    assert told in broken[0]
    with pytest.raises(DataError, match="Judge again"):
        sources.read(tmp_path)
    with pytest.raises(DataError, match="not compared: "):
        item_scores.read([tmp_path])

    results.write(tmp_path, rated(suite, ledger, "theirs"))  # another model's are there still
    source = sources.read(tmp_path)
    assert source.models == ("theirs",)
    assert told in source.broken[0]
    assert any(told in note for note in source.notes)

    assert results.write(tmp_path, rated(suite, ledger)) == before  # judged again, from what is stored of the calls
    assert results.problem(folder / "single.json") == ""


def test_a_comparison_writes_the_answers_anew_and_the_ratings_stay(
    tmp_path: Path, suite: Suite, ledger: Ledger
) -> None:
    results.write(tmp_path, rated(suite, ledger))
    model, _ = handle("ours", lambda _: "Other words.")
    other, _ = handle("theirs", lambda _: "Fine.")
    judge, _ = handle("gpt-4", lambda _: "[[A]]")
    results.write(tmp_path, bench.compare(suite, model, other, JudgeSettings(judge), client(ledger)))
    assert len(results.read(tmp_path)) == 2
    cut("answers.jsonl")(tmp_path / "ours" / "mtbench" / "gpt-4")
    assert len(results.read_all(tmp_path)[1]) == 2


def test_numbers_of_version_0_1_0_open(tmp_path: Path, suite: Suite, ledger: Ledger) -> None:
    results.write(tmp_path, rated(suite, ledger))
    path = tmp_path / "ours" / "mtbench" / "gpt-4" / "single.json"
    content = json.loads(path.read_text())
    del content["files"], content["sha256"]
    path.write_text(json.dumps(content))
    assert len(results.read(tmp_path)) == 1
    cut("judgments.jsonl")(path.parent)
    assert results.problem(path) == "judgments.jsonl has 7 lines for 8 judgments"


def test_a_judge_whose_folder_differs_by_case_only_is_refused(tmp_path: Path, suite: Suite, ledger: Ledger) -> None:
    results.write(tmp_path, rated(suite, ledger, "ours", "gpt-4"))
    model, _ = handle("ours", lambda _: "Fine.")
    judge, _ = handle("GPT-4", lambda _: "[[5]]")
    with pytest.raises(UsageError, match="'gpt-4' already, which differs by case"):
        results.check_same_models(tmp_path, suite, JudgeSettings(judge), model)
    other, _ = handle("Ours", lambda _: "Fine.")
    with pytest.raises(UsageError, match="'ours' already, which differs by case"):
        results.check_same_models(tmp_path, suite, JudgeSettings(judge), other)
