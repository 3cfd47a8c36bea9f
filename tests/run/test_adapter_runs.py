"""Adapters in a run: the numbers that each has alone, one load of their base, and none that is not really in use."""

from __future__ import annotations

import shlex
import shutil
import weakref
from pathlib import Path
from typing import Any

import pytest
import yaml
from peft import LoraConfig

from tests.models.trained import train
from tests.run.runs import Command, samples, write, written

CHOICES, ANSWERS = "s2demo_hellaswag", "s2demo_eli5"


@pytest.fixture(scope="module")
def made(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with adapters of the tiny model: `one`, `two` (with a head of its own), `pissa`, and `untrained`."""
    out = tmp_path_factory.mktemp("adapters")
    kinds: dict[str, dict[str, Any]] = {
        "one": {},
        "two": {"modules_to_save": ["lm_head"], "use_dora": True},
        "pissa": {"init_lora_weights": "pissa"},
        "untrained": {},
    }
    for seed, (name, options) in enumerate(kinds.items()):
        config = LoraConfig(task_type="CAUSAL_LM", r=4, **options)
        train(tiny_model, config, out / name, seed=seed, step=0 if name == "untrained" else 0.3)
    return out


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The folders whose weights are read from now on; once for every time that they are."""
    from lm_eval.models.huggingface import HFLM

    found: list[str] = []
    create = HFLM._create_model

    def counted(self: Any, pretrained: str, *arguments: Any, **options: Any) -> None:
        found.append(Path(pretrained).name)
        create(self, pretrained, *arguments, **options)

    monkeypatch.setattr(HFLM, "_create_model", counted)
    return found


def config(path: Path, *models: str | dict[str, Any], tasks: tuple[str, ...] = (CHOICES,)) -> Path:
    return write(path, models=list(models), tasks=list(tasks), limit=2, metrics=["readability"])


def said_of(run: Path, model: str, task: str) -> list[Any]:
    """What a model answered, to the last digit."""
    return [sample["resps"] for sample in samples(run, task, model)]


def evaluated(said: str) -> list[str]:
    """`[1/4] one/task` … in the order in which they were begun."""
    return [line.partition(":")[0] for line in said.splitlines() if line.startswith("[") and " documents" in line]


def test_many_adapters_share_a_base(
    tiny_model: Path, made: Path, tmp_path: Path, s2eval: Command, loaded: list[str]
) -> None:
    """Two adapters, their base and another model between them: as many loads as bases, numbers as of single runs."""
    other = shutil.copytree(tiny_model, tmp_path / "other")
    models = [f"adapter:{made / 'one'}", str(other), str(tiny_model), f"adapter:{made / 'two'}@{tiny_model}"]
    tasks = (CHOICES, ANSWERS)
    code, _, said = s2eval("run", config(tmp_path / "all.yaml", *models, tasks=tasks), "--out", tmp_path / "all")
    assert code == 0, said
    assert loaded == ["tiny", "other"]
    # those of one base follow the first of them; the numbers ascend all the same
    names = ["one", "tiny", "two", "other"]
    units = [f"{name}/{task}" for name in names for task in tasks]
    assert evaluated(said) == [f"[{number}/8] {unit}" for number, unit in enumerate(units, 1)]

    for model in models:
        name = Path(model.removeprefix("adapter:").partition("@")[0]).name
        assert s2eval("run", config(tmp_path / f"{name}.yaml", model, tasks=tasks), "--out", tmp_path / name)[0] == 0
        for task in tasks:
            assert said_of(tmp_path / "all", name, task) == said_of(tmp_path / name, name, task)
    said_by = {name: str(said_of(tmp_path / "all", name, CHOICES)) for name in names}
    assert said_by["other"] == said_by["tiny"]  # a copy
    assert len(set(said_by.values())) == 3


def test_one_adapter_is_in_memory_at_a_time(
    tiny_model: Path, made: Path, tmp_path: Path, s2eval: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When one is put on, none of those before is alive: memory does not grow with their number."""
    from s2eval.models.sources import adapters

    attach, before, alive = adapters.attach, [], []

    def watched(*arguments: Any, **options: Any) -> Any:
        alive.append(sum(one() is not None for one in before))
        model = attach(*arguments, **options)
        before.extend(weakref.ref(part) for name, part in model.named_parameters() if "lora_" in name)
        return model

    monkeypatch.setattr(adapters, "attach", watched)
    models = [{"model": f"adapter:{made / name}", "name": f"{name}{n}"} for n in range(2) for name in ("one", "two")]
    assert s2eval("run", config(tmp_path / "c.yaml", *models), "--out", tmp_path / "run")[0] == 0
    assert alive == [0, 0, 0, 0]
    assert len(before) == 4 * 8 + 2 * 4  # A and B of 2 modules in 2 layers; DoRA's magnitudes


def test_a_base_that_an_adapter_changed_is_loaded_anew(
    tiny_model: Path, made: Path, tmp_path: Path, s2eval: Command, loaded: list[str]
) -> None:
    models = [f"adapter:{made / name}" for name in ("pissa", "one")]
    code, _, said = s2eval("run", config(tmp_path / "c.yaml", *models, str(tiny_model)), "--out", tmp_path / "run")
    assert code == 0, said
    assert loaded == ["tiny", "tiny"]  # after `pissa`; `one` gives it back
    for name, model in (("one", models[1]), ("tiny", str(tiny_model))):
        assert s2eval("run", config(tmp_path / f"{name}.yaml", model), "--out", tmp_path / name)[0] == 0
        assert said_of(tmp_path / "run", name, CHOICES) == said_of(tmp_path / name, name, CHOICES)


def test_other_arguments_are_another_load(
    tiny_model: Path, made: Path, tmp_path: Path, s2eval: Command, loaded: list[str]
) -> None:
    models = [
        {"model": f"adapter:{made / 'one'}", "name": "plain"},
        {"model": f"adapter:{made / 'one'}", "name": "short", "args": {"max_length": 512}},
        {"model": f"adapter:{made / 'two'}", "name": "same", "batch_size": 2},
    ]
    code, _, said = s2eval("run", config(tmp_path / "c.yaml", *models), "--out", tmp_path / "run")
    assert code == 0, said
    assert evaluated(said) == [f"[{n}/3] {name}/{CHOICES}" for n, name in enumerate(("plain", "same", "short"), 1)]
    assert loaded == ["tiny", "tiny"]


def test_only_and_resuming_load_what_they_need(
    tiny_model: Path, made: Path, tmp_path: Path, s2eval: Command, loaded: list[str]
) -> None:
    models = [str(tiny_model), *(f"adapter:{made / name}" for name in ("one", "two"))]
    path, run = config(tmp_path / "c.yaml", *models), tmp_path / "run"
    code, _, said = s2eval("run", path, "--out", run, "--only", "two")
    assert code == 0
    assert evaluated(said) == [f"[1/1] two/{CHOICES}"]
    assert loaded == ["tiny"]
    kept = written(run)
    code, _, said = s2eval("run", path, "--out", run)
    assert said.startswith("1 of 3 units are done already\n")
    assert evaluated(said) == [f"[1/3] tiny/{CHOICES}", f"[2/3] one/{CHOICES}"]
    assert loaded == ["tiny", "tiny"]  # one a call
    assert written(run) | kept == written(run)
    assert len({str(said_of(run, name, CHOICES)) for name in ("tiny", "one", "two")}) == 3


def test_an_untrained_adapter_gets_no_scores(tiny_model: Path, made: Path, tmp_path: Path, s2eval: Command) -> None:
    """Its answers are the base's: nothing is written under its name, and its neighbours are not disturbed."""
    models = [f"adapter:{made / name}" for name in ("one", "untrained", "two")]
    path, run = config(tmp_path / "c.yaml", *models), tmp_path / "run"
    code, _, said = s2eval("run", path, "--out", run, "--keep-going")
    assert code == 3
    assert f"error: 1 failed:\n  untrained/{CHOICES}: adapter {made / 'untrained'} on {tiny_model}: the model " in said
    assert "every LoRA B matrix is zero" in said
    assert set(written(run)) == {f"one/{CHOICES}", f"two/{CHOICES}"}
    assert s2eval("run", config(tmp_path / "two.yaml", models[2]), "--out", tmp_path / "two")[0] == 0
    assert said_of(run, "two", CHOICES) == said_of(tmp_path / "two", "two", CHOICES)
    code, _, said = s2eval("run", path, "--out", tmp_path / "strict")
    assert code == 2
    assert "every LoRA B matrix is zero" in said


def test_equal_answers_do_not_make_an_adapter_its_base(
    tiny_model: Path, made: Path, tmp_path: Path, s2eval: Command
) -> None:
    """The base's results, renamed to the untrained adapter that answers the same, do not count as the adapter's."""
    run = tmp_path / "run"
    assert s2eval("run", config(tmp_path / "base.yaml", str(tiny_model)), "--out", run)[0] == 0
    (run / "tiny").rename(run / "untrained")
    path = config(tmp_path / "adapter.yaml", f"adapter:{made / 'untrained'}")
    _, out, _ = s2eval("run", path, "--out", run, "--status")
    assert out.startswith(f"to do  untrained/{CHOICES}: ")


def test_a_second_model_among_the_arguments_is_refused(
    tiny_model: Path, made: Path, tmp_path: Path, s2eval: Command
) -> None:
    """It would be evaluated under the name of `model`, and no unit's key would change with its content."""
    path = config(tmp_path / "c.yaml", {"model": str(tiny_model), "args": {"peft": str(made / "one")}})
    code, _, said = s2eval("run", path, "--out", tmp_path / "run")
    assert code == 2
    assert "models.0.args: pretrained and peft stand in `model`: PATH, or adapter:PATH@BASE" in said


def test_the_order_of_a_run_without_adapters_is_the_configured_one(
    tiny_model: Path, tmp_path: Path, s2eval: Command
) -> None:
    names = ["b", "a", "c"]
    models = [str(shutil.copytree(tiny_model, tmp_path / name)) for name in names]
    path = config(tmp_path / "c.yaml", *models)
    _, out, _ = s2eval("run", path, "--out", tmp_path / "run", "--status")
    assert [line.split()[2].partition("/")[0] for line in out.splitlines()[:-1]] == names
    assert shlex.split(out.splitlines()[-1])[:3] == ["0", "of", "3"]
    assert yaml.safe_load(path.read_text(encoding="utf-8"))["models"] == models
