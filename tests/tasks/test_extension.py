"""A benchmark of another package: a folder of YAML and a line of metadata; no file of ours knows it."""

from __future__ import annotations

from pathlib import Path

import pytest

from s2eval.tasks import BENCHMARKS, LM_EVAL, benchmark_of
from tests.packages import install, look_again
from tests.run.conftest import restored, s2eval  # noqa: F401
from tests.run.runs import Command, rows, write

SOURCE = """
from pathlib import Path
from s2eval.data import Row, Source
from s2eval.metrics import Metric
from s2eval.tasks import Benchmark

class Question(Row):
    question: str
    answer: str

    def texts(self):
        return self.question, self.answer

TRIVIA = Benchmark(
    "trivia",
    "Trivia of the sea",
    Path(__file__).parent / "yaml",
    source=Source("trivia", Question, hint="write it"),
    columns=(Metric("acc", "Accuracy", digits=1),),
)

def documents(**_):
    import datasets
    rows = [{"question": f"Is {number} even?", "choices": ["yes", "no"], "gold": number % 2} for number in range(8)]
    return {"test": datasets.Dataset.from_list(rows)}
"""
YAML = """
task: s2_trivia
test_split: test
output_type: multiple_choice
custom_dataset: !function sea.documents
doc_to_text: question
doc_to_choice: choices
doc_to_target: gold
metric_list:
  - metric: acc
    aggregation: mean
    higher_is_better: true
metadata:
  version: 1.0
"""


@pytest.fixture(autouse=True)
def trivia(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "site"
    (folder / "yaml").mkdir(parents=True)
    (folder / "yaml" / "s2_trivia.yaml").write_text(YAML, encoding="utf-8")
    install(folder, monkeypatch, "sea", SOURCE, s2eval__benchmarks="trivia = sea:TRIVIA")
    look_again(BENCHMARKS, monkeypatch)
    return folder


def test_it_is_listed(s2eval: Command) -> None:  # noqa: F811
    assert "s2_trivia" in s2eval("ls", "tasks")[1].splitlines()
    assert "trivia: Trivia of the sea" in s2eval("ls", "tables")[1].splitlines()


def test_it_is_suggested(s2eval: Command, tmp_path: Path) -> None:  # noqa: F811
    config = write(tmp_path / "run.yaml", models=["smollm2"], tasks=["s2_trivja"])
    assert "unknown task 's2_trivja'; did you mean 's2_trivia'?" in s2eval("run", config, "--dry-run")[2]


def test_a_run_evaluates_and_reports_it(s2eval: Command, tmp_path: Path, tiny_model: Path) -> None:  # noqa: F811
    run = tmp_path / "run"
    models = [{"model": str(tiny_model), "name": "tiny"}]
    config = write(tmp_path / "run.yaml", models=models, tasks=["s2_trivia"], limit=4)
    code, _, error = s2eval("run", config, "--out", run)
    assert code == 0, error
    measured = rows(run)["s2_trivia", "", "acc"]
    assert measured.n_valid == 4
    report = s2eval("report", run)[1]
    table = report.partition("Trivia of the sea")[2].partition("##")[0]
    assert " Accuracy |" in table
    assert f"{measured.value:.1f}" in table


def test_plain_lm_eval_finds_it() -> None:
    """The start-up hook adds the folder beside ours."""
    from lm_eval.tasks import _index

    theirs = Path(_index.__file__ or "").parent
    seen: list[Path] = []

    class Index:
        TaskIndex = type("TaskIndex", (), {"build": staticmethod(lambda folders, **_: seen.extend(folders))})

    from s2eval import plugin

    module = type(_index)("lm_eval.tasks._index")
    module.__file__ = _index.__file__
    module.TaskIndex = Index.TaskIndex  # type: ignore[attr-defined]
    plugin.add_task_folder(module)
    module.TaskIndex.build([theirs])  # type: ignore[attr-defined]
    assert [folder.name for folder in seen][1:] == ["tasks", "yaml"]


def test_training_data_are_checked_against_it(tmp_path: Path) -> None:
    from s2train.data.dedup.evaluations import read_evaluations

    assert read_evaluations(None).missing["trivia"] == "trivia/test.jsonl"
    (tmp_path / "trivia").mkdir()
    (tmp_path / "trivia" / "test.jsonl").write_text('{"question": "Is 2 even?", "answer": "yes"}\n', encoding="utf-8")
    (read,) = (of for of in read_evaluations(tmp_path).sets if of.name == "trivia")
    assert read.items[0].texts == ("Is 2 even?", "yes")


def test_every_task_of_ours_belongs_to_a_benchmark() -> None:
    wanted = {"s2_mmlu_virology": "mmlu", "s2demo_full": "full", "s2_mtsbench": "mtsbench", "s2_trivia": "trivia"}
    assert {task: benchmark_of(task).name for task in wanted} == wanted
    assert benchmark_of("hellaswag") is LM_EVAL
