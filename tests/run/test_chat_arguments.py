"""`enable_thinking` reaches the prompt in a run, its judges, plain lm-eval's documents, mtbench and merge-effect."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.run.runs import Command, samples, write
from tests.test_chat_arguments import THINKING

CLOSED = "<assistant><think></think>"


@pytest.fixture(scope="module")
def thinker(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model with a chat template that knows `enable_thinking`."""
    folder = tmp_path_factory.mktemp("models") / "thinker"
    shutil.copytree(tiny_model, folder)
    (folder / "chat_template.jinja").write_text(THINKING, encoding="utf-8")
    return folder


def entry(model: Path, name: str, **arguments: Any) -> dict[str, Any]:
    return {"model": str(model), "name": name, "args": arguments}


def test_in_a_run(s2eval: Command, thinker: Path, tmp_path: Path) -> None:
    """Three spellings: none, lm-eval's argument, lm-eval's mapping; the last two are one prompt."""
    models = [
        entry(thinker, "plain"),
        entry(thinker, "silent", enable_thinking=False),
        entry(thinker, "mapped", chat_template_args={"enable_thinking": False}),
    ]
    config = write(tmp_path / "run.yaml", models=models, tasks=["s2demo_eli5"], metrics=["readability"], limit=1)
    code, _, error = s2eval("run", config, "--out", tmp_path / "out")
    assert code == 0, error
    docs = {name: samples(tmp_path / "out", "s2demo_eli5", name)[0]["doc"] for name in ("plain", "silent", "mapped")}
    assert docs["plain"]["prompt"].endswith("<assistant>")
    assert docs["silent"]["prompt"].endswith(CLOSED)
    assert docs["silent"]["prompt"] == docs["mapped"]["prompt"]
    assert docs["silent"]["template_hash"] == docs["mapped"]["template_hash"] != docs["plain"]["template_hash"]
    assert "chat with enable_thinking=false" in (tmp_path / "out" / "report.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("tasks", "settings", "arguments", "message"),
    [
        ("s2demo_eli5", {}, {"enable_thinkin": False}, "did you mean 'enable_thinking'?"),
        ("s2demo_eli5", {"template": "s2"}, {"enable_thinking": False}, "template 's2' takes no arguments"),
        ("s2demo_arc_challenge", {}, {"enable_thinking": False}, "no task of this run uses a chat template"),
    ],
)
def test_what_nothing_reads_is_refused(
    s2eval: Command,
    thinker: Path,
    tmp_path: Path,
    tasks: str,
    settings: dict[str, Any],
    arguments: dict[str, Any],
    message: str,
) -> None:
    models = [entry(thinker, "thinker", chat_template_args=arguments)]
    config = write(tmp_path / "run.yaml", models=models, tasks=[tasks], limit=1, metrics=["readability"], **settings)
    code, _, error = s2eval("run", config, "--out", tmp_path / "out", "--dry-run")
    assert code == 2
    assert message in error


def test_in_plain_lm_eval(thinker: Path) -> None:
    """lm-eval hands `--model_args` to the task's documents."""
    from s2eval.tasks.mtsbench import lm_eval as judged
    from s2eval.tasks.qa import lm_eval as tasks

    def prompt(**arguments: Any) -> str:
        sampled = tasks.pairs(
            dataset="eli5", demo=True, sample_size=1, pretrained=str(thinker), bertscore_later=True, **arguments
        )
        return sampled["test"][0]["prompt"]

    assert prompt().endswith("<assistant>")
    assert prompt(enable_thinking=False).endswith(CLOSED)
    assert prompt(chat_template_args={"enable_thinking": False}).endswith(CLOSED)
    questions = judged.questions(pretrained=str(thinker), enable_thinking=False)
    assert questions["test"][0]["prompt"].endswith(CLOSED)


def test_another_tokenizers_template_is_taken_too(tiny_model: Path, thinker: Path) -> None:
    """`args: {tokenizer: …}` reached the backend, and prompts were written in the model's own template."""
    from s2eval.tasks.qa import lm_eval as tasks

    sampled = tasks.pairs(
        dataset="eli5",
        demo=True,
        sample_size=1,
        pretrained=str(tiny_model),
        tokenizer=str(thinker),
        bertscore_later=True,
    )
    assert sampled["test"][0]["prompt"].startswith("<user>")


def test_in_mtbench(s2eval: Command, thinker: Path, tmp_path: Path) -> None:
    """The answering model is asked so; its judge, the same model, is not."""
    from transformers import AutoTokenizer

    from s2eval import prompts

    command = ["mtbench", "--model", thinker, "--judge", thinker, "--limit", "1", "--max-tokens", "2"]
    command += ["--judge-max-tokens", "2", "--chat-template-args", json.dumps({"enable_thinking": False})]
    code, _, error = s2eval(*command, "--out", tmp_path / "out")
    assert code == 0, error
    (path,) = (tmp_path / "out").rglob("single.json")
    facts = json.loads(path.read_text(encoding="utf-8"))["facts"]
    assert facts["template"].startswith("chat with enable_thinking=false (")
    # a service is identified by its model and the hash of its template
    answering, judging = (facts[role]["identity"].split(":") for role in ("model", "judge"))
    assert answering[1] == judging[1]
    assert judging[2] == prompts.get("chat", AutoTokenizer.from_pretrained(thinker)).hash != answering[2]


def test_mtbench_refuses_them_where_no_model_would_be_asked_so(s2eval: Command, thinker: Path, tmp_path: Path) -> None:
    code, _, error = s2eval(
        *("mtbench", "--model", "baseline:begging", "--judge", thinker, "--dry-run"),
        *("--chat-template-args", '{"enable_thinking": false}', "--out", tmp_path / "out"),
    )
    assert code == 2
    assert "for models on this machine" in error


def test_in_merge_effect(thinker: Path, tmp_path: Path) -> None:
    """Every compared model has them, so that a run of the models asks in the prompt that the predictions were of."""
    from s2eval import chat_arguments, prompts
    from s2eval.models import ModelSpec
    from s2train.merge.effect import BF16, TRAINED
    from s2train.merge.effect.models import compared_models, loaded

    spec = ModelSpec("adapter:a@b", str(thinker), str(thinker))
    compared = compared_models(spec, None, {BF16: thinker}, {"enable_thinking": False})
    assert {name: chat_arguments.collect(model.args) for name, model in compared.items()} == {
        TRAINED: {"enable_thinking": False},
        BF16: {"enable_thinking": False},
    }
    with loaded(compared[BF16]) as lm:
        template = prompts.get("chat", lm.tokenizer, chat_arguments.collect(compared[BF16].args))
    assert template.render([prompts.Turn("Why?")]).endswith(CLOSED)
