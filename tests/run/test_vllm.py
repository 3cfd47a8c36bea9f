"""`vllm:NAME` in a run: lm-eval's own backend for it, for answers only.

vLLM itself does not run without a GPU, so a class that takes the same arguments stands in for it, and really answers.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from lm_eval.models.huggingface import HFLM

from s2eval.errors import UsageError
from s2eval.models.dialogues import open_local
from s2eval.models.sources import vllm
from tests.run.runs import Command, samples, write

ANSWERS, CHOICES = "s2demo_eli5", "s2demo_hellaswag"


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the stand-in for vLLM was made with, once for every time that it was."""
    made: list[dict[str, Any]] = []

    class Standing(HFLM):
        def __init__(self, pretrained: str, batch_size: str = "1", **arguments: Any) -> None:
            made.append({"pretrained": pretrained, "batch_size": batch_size, **arguments})
            super().__init__(pretrained=pretrained, device="cpu", batch_size=4, dtype="float32")

    module: Any = ModuleType("lm_eval.models.vllm_causallms")
    module.VLLM = Standing
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(vllm, "find_spec", lambda name: importlib.util.find_spec("json" if name == "vllm" else name))
    return made


def test_answers_come_from_lm_evals_vllm(
    given: list[dict[str, Any]], s2eval: Command, tiny_model: Path, tmp_path: Path
) -> None:
    models: list[str | dict[str, Any]] = [
        {"model": f"vllm:{tiny_model}", "name": "by-vllm", "args": {"tensor_parallel_size": 2}},
        {"model": str(tiny_model), "name": "by-s2"},
    ]
    path = write(tmp_path / "c.yaml", models=models, tasks=[ANSWERS], limit=2, metrics=["readability"])
    code, _, said = s2eval("run", path, "--out", tmp_path / "run")
    assert code == 0, said
    (made,) = given
    assert made["pretrained"] == str(tiny_model)
    assert (made["batch_size"], made["tensor_parallel_size"]) == ("auto", 2)
    by_vllm, by_s2 = (samples(tmp_path / "run", ANSWERS, name) for name in ("by-vllm", "by-s2"))
    assert [one["resps"] for one in by_vllm] == [one["resps"] for one in by_s2]


def test_log_likelihoods_are_refused_before_anything_is_loaded(
    given: list[dict[str, Any]], s2eval: Command, tiny_model: Path, tmp_path: Path
) -> None:
    path = write(tmp_path / "c.yaml", models=[f"vllm:{tiny_model}"], tasks=[ANSWERS, CHOICES], limit=2)
    code, _, said = s2eval("run", path, "--out", tmp_path / "run")
    assert code == 2
    assert f"{CHOICES}: vllm:{tiny_model} is for questions" in said
    assert not given


@pytest.mark.usefixtures("given")
def test_it_is_no_service_that_another_backend_would_answer(tiny_model: Path) -> None:
    with pytest.raises(UsageError, match="runs in tasks only"):
        open_local(f"vllm:{tiny_model}")
