"""`s2train merge-effect` on a tiny model: the whole of it, again, after a kill, and what it refuses."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.models.trained import lora, train
from tests.run.runs import Command, written
from tests.s2train.merge.effect.conftest import program

QUESTIONS = ["Why?", "How come?", "What for?", "Who said so?", "When?", "Where to?", "Which one?", "Is it so?"]
TASK = "s2demo_hellaswag"


@pytest.fixture(scope="module")
def adapter(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """On all linears; nothing tells how its base was quantised."""
    out = tmp_path_factory.mktemp("adapters") / "lora"
    train(tiny_model, lora(target_modules="all-linear"), out, step=0.3)
    return out


@pytest.fixture(scope="module")
def prompts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("prompts") / "prompts.jsonl"
    path.write_text("".join(json.dumps({"question": question}) + "\n" for question in QUESTIONS), encoding="utf-8")
    return path


def arguments(tiny_model: Path, adapter: Path, prompts: Path, out: Path) -> list[Any]:
    command = ["merge-effect", "--base", tiny_model, "--adapter", adapter, "--prompts", prompts, "--out", out]
    return [*command, "--tasks", TASK, "--limit", 2]


@pytest.fixture(scope="module")
def undisturbed(
    tiny_model: Path, adapter: Path, prompts: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, str, str]:
    """The folder, standard output and standard error of a command that nothing disturbed."""
    out = tmp_path_factory.mktemp("undisturbed") / "out"
    command = program(*arguments(tiny_model, adapter, prompts, out))
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "S2_DATA_DIR": ""}, timeout=300)
    assert done.returncode == 0, done.stderr
    return out, done.stdout, done.stderr


def result(out: Path) -> dict[str, Any]:
    return json.loads((out / "merge_effect.json").read_text(encoding="utf-8"))


def test_a_whole_command(undisturbed: tuple[Path, str, str]) -> None:
    out, printed, said = undisturbed
    assert {path.name for path in out.iterdir() if not path.name.startswith(".")} == {
        "merged",
        "tasks",
        "measured.json",
        "merge_effect.md",
        "merge_effect.json",
        "merge_effect.svg",
    }
    assert printed == (out / "merge_effect.md").read_text(encoding="utf-8")
    assert "14 of them through 4 bits" in said  # s2train's own words

    found = result(out)
    assert found["recommendation"].startswith("qdq: on ")
    assert "more than 1,000 times nearer" in found["recommendation"]  # the base is fp32: nothing is rounded
    assert found["quantization"] == "NF4, blocks of 64, single quantisation"
    assert found["notes"][0].startswith("nothing tells how the base was quantised in training")
    assert len(found["weights"]["matrices"]) == 14
    whole = found["weights"]["all"]
    assert whole["of_size"]["qdq"] < 1e-6 < 0.05 < whole["of_size"]["bf16"] < 0.15
    assert found["predictions"]["prompts"] == QUESTIONS
    assert found["predictions"]["excess_of_bf16"]["p"] == pytest.approx(2 / 2**8)


def test_tasks_are_an_ordinary_run(undisturbed: tuple[Path, str, str]) -> None:
    out, _, _ = undisturbed
    names = [f"{model}/{TASK}/unit.json" for model in ("as-trained", "bf16", "qdq")]
    assert sorted(str(path.relative_to(out / "tasks")) for path in out.glob("tasks/*/*/unit.json")) == names
    assert (out / "tasks" / "report.md").is_file()
    arguments = json.loads((out / "tasks" / "as-trained" / TASK / "unit.json").read_text())["inputs"]["arguments"]
    assert arguments[1]["load_in_4bit"] is True
    rows = [row for table in result(out)["tasks"]["tables"] for row in table["rows"]]
    assert {(row["baseline"], row["model"]) for row in rows} == {
        ("as-trained", "qdq"),
        ("as-trained", "bf16"),
        ("qdq", "bf16"),
    }
    kept = [json.loads(line)["resps"] for line in _samples(out, "as-trained")]
    assert kept != [json.loads(line)["resps"] for line in _samples(out, "bf16")]


def _samples(out: Path, model: str) -> list[str]:
    (path,) = (out / "tasks" / model / TASK).glob("samples_*.jsonl")
    return path.read_text(encoding="utf-8").splitlines()


def test_again_nothing_is_done_twice(
    undisturbed: tuple[Path, str, str],
    tiny_model: Path,
    adapter: Path,
    prompts: Path,
    s2train: Command,
    loads: list[str],
) -> None:
    out, printed, _ = undisturbed
    before = written(out / "tasks")
    code, again, said = s2train(*arguments(tiny_model, adapter, prompts, out))
    assert (code, again) == (0, printed)
    assert said.count("already complete") == 2
    assert "weights and predictions are measured already" in said
    assert (loads, written(out / "tasks")) == ([], before)


def test_after_a_kill_it_goes_on(
    undisturbed: tuple[Path, str, str], tiny_model: Path, adapter: Path, prompts: Path, tmp_path: Path, s2train: Command
) -> None:
    """Killed with the first unit evaluated: two merges, measurements and that unit stay as they are."""
    out = tmp_path / "out"
    # measured.json tells which tokenizer was given, by its folder: the whole is made again where it is killed
    command = program(*arguments(tiny_model, adapter, prompts, out))
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        env={**os.environ, "S2_DATA_DIR": ""},
    ) as process:  # fmt: skip
        deadline = time.monotonic() + 240
        while not written(out / "tasks") and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGKILL)
    kept, measured = written(out / "tasks"), (out / "measured.json").stat().st_mtime_ns
    assert 1 <= len(kept) < 3
    code, _, said = s2train(*arguments(tiny_model, adapter, prompts, out))
    assert code == 0, said
    assert said.count("already complete") == 2
    assert (out / "measured.json").stat().st_mtime_ns == measured
    assert kept.items() <= written(out / "tasks").items()
    assert result(out) == result(undisturbed[0])


def test_an_adapter_of_an_unquantised_base(tiny_model: Path, adapter: Path, tmp_path: Path, s2train: Command) -> None:
    """s2train would have told of a quantisation: there is one merge, and it is what was trained."""
    plain = shutil.copytree(adapter, tmp_path / "plain")
    (plain / "s2train.json").write_text('{"template": "s2", "kind": "sft"}')
    out = tmp_path / "out"
    code, printed, said = s2train("merge-effect", "--base", tiny_model, "--adapter", plain, "--out", out)
    assert code == 0, said
    assert printed.startswith("# What merging changed\n\n**Use bf16: the adapter was trained on the base as it is. qdq")
    assert [path.name for path in (out / "merged").iterdir() if not path.name.startswith(".")] == ["bf16"]
    found = result(out)
    assert len(found["predictions"]["prompts"]) == 60
    assert found["predictions"]["pairs"][0]["kl"]["value"] < 1e-6
    assert found["predictions"]["excess_of_bf16"] is None
    assert found["notes"] == []
    assert not (out / "tasks").exists()


def test_the_base_that_does_not_fit(adapter: Path, tmp_path: Path, s2train: Command) -> None:
    """The merge's own error."""
    from tests.s2train.merge import tiny

    other = tiny.base(tmp_path / "other")
    (other / "tokenizer.json").write_text("{}")
    code, _, said = s2train("merge-effect", "--base", other, "--adapter", adapter, "--out", tmp_path / "out")
    assert code == 2
    assert said.count("error: ") == 1
    assert not (tmp_path / "out" / "merge_effect.md").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--adapter", "./missing"], "no folder missing"),
        (["--tasks", "s2demo_helaswag"], "unknown task 's2demo_helaswag'; did you mean 's2demo_hellaswag'?"),
        (["--template", "s3"], "unknown template 's3'"),
        (["--prompts", "./missing.jsonl"], "missing.jsonl"),
        (["--quant-type", "none", "--double-quant"], "--double-quant: the adapter was trained on a base that was not"),
        (["--quant-type", "int8"], "Invalid value for '--quant-type'"),
    ],
)
def test_what_is_refused_before_anything_is_made(
    tiny_model: Path, adapter: Path, tmp_path: Path, s2train: Command, options: list[str], message: str
) -> None:
    out = tmp_path / "out"
    code, _, said = s2train("merge-effect", "--base", tiny_model, "--adapter", adapter, "--out", out, *options)
    assert code in (1, 2)
    assert message in said
    assert not out.exists()


def test_blocks_that_transformers_does_not_load(
    tiny_model: Path, adapter: Path, tmp_path: Path, s2train: Command
) -> None:
    other = shutil.copytree(adapter, tmp_path / "other")
    (other / "s2train.json").write_text('{"template": "s2", "kind": "sft", "quantization": {"blocksize": 128}}')
    code, _, said = s2train("merge-effect", "--base", tiny_model, "--adapter", other, "--out", tmp_path / "out")
    assert code == 2
    assert "transformers loads blocks of 64 only, the adapter's base had blocks of 128" in said
