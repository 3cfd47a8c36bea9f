"""What a user may write in a run's YAML, and that every error of it is told at once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from s2eval import config
from s2eval.config import Name, RunConfig, default_name
from s2eval.errors import ConfigError

NAME = TypeAdapter(Name)


def load(folder: Path, text: str, file: str = "my run.yaml") -> RunConfig:
    path = folder / file
    path.write_text(text, encoding="utf-8")
    return config.load(path)


def problems(folder: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(folder, text)
    assert caught.value.where == str(folder / "my run.yaml")
    return list(caught.value.problems)


# --- what is right ---------------------------------------------------------------------------------------------


def test_the_shortest_configuration(tmp_path: Path) -> None:
    run = load(tmp_path, "models: [smollm2]\ntasks: s2_leaderboard, s2_qa\n")
    (model,) = run.models
    assert (model.name, model.model, model.dtype, model.args) == ("smollm2", "smollm2", "auto", {})
    assert run.tasks == ["s2_leaderboard", "s2_qa"]
    assert run.metrics == ["rouge", "bertscore", "readability"]
    assert run.name == "my_run"  # the file's
    assert (run.limit, run.out, run.bertscore.encoder) == (None, None, "roberta-large")


def test_a_model_may_be_a_string_or_an_entry(tmp_path: Path) -> None:
    run = load(
        tmp_path,
        """
        models:
          - org/Name-7b
          - adapter:./runs/first@org/Name-7b
          - {model: ./my-checkpoint, name: mine, reference: Llama-2-7b-ELI5, group: eli5, seed: 1, args: {a: 1}}
        tasks: [s2_qa]
        """,
    )
    assert [entry.name for entry in run.models] == ["Name-7b", "first", "mine"]
    assert [entry.model for entry in run.models] == [
        "org/Name-7b",
        "adapter:./runs/first@org/Name-7b",
        "./my-checkpoint",
    ]
    last = run.models[-1]
    assert (last.reference, last.group, last.seed, last.args) == ("Llama-2-7b-ELI5", "eli5", 1, {"a": 1})


def test_the_examples_are_right(repository: Path) -> None:
    run = config.load(repository / "examples" / "demo.yaml")
    assert [entry.name for entry in run.models] == ["smollm2", "smollm2-nf4"]
    assert run.bertscore.encoder == "minilm"


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("smollm2", "smollm2"),
        ("org/Name-7b", "Name-7b"),
        ("./runs/my model/", "my_model"),
        ("adapter:a/b@org/c", "b"),
        ("/", "model"),
        ("..", "model"),
        ("../.hidden", "hidden"),
        ("openai:gpt-4", "openai_gpt-4"),
        ("modèle-水", "modèle-水"),
        ("x²", "x_"),
        ("a" * 150, "a" * 100),
        ("水" * 90, "水" * 60),  # 180 bytes
        ("./aux", "_aux"),
        ("NUL.txt", "_NUL.txt"),
        ("./model..", "model"),
    ],
)
def test_default_names(model: str, name: str) -> None:
    assert default_name(model) == name
    assert NAME.validate_python(name) == name


@settings(max_examples=50, deadline=None)
@given(st.text(min_size=1) | st.from_regex(r"(adapter:)?[./\w@²½-]+", fullmatch=True))
@example("½/²")
@example("a\n")
def test_a_default_name_is_always_a_name(model: str) -> None:
    assert NAME.validate_python(default_name(model)) == default_name(model)


@pytest.mark.parametrize(
    "name",
    [
        *("", ".", "..", ".hidden", "a/b", "a b", "a\n", "-\\", "a" * 101),
        *("a.", "a..", "con", "CON", "aux.v1", "Com1", "lpt9", "水" * 61, "a\u200d"),
    ],
)
def test_a_name_is_a_plain_folder(tmp_path: Path, name: str) -> None:
    text = f"models: [{{model: smollm2, name: {name!r}}}]\ntasks: [a]"
    (problem,) = problems(tmp_path, text.replace("'a\\n'", '"a\\n"'))
    assert problem.startswith("models.0.name: ")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("tiny", "Tiny"),
        ("caf\u00e9", "cafe\u0301"),
        ("stra\u00dfe", "STRASSE"),
        ("\ufb01ne", "fine"),
        ("report.md", "x"),
    ],
)
def test_names_that_are_one_on_some_systems(tmp_path: Path, first: str, second: str) -> None:
    models = [{"model": "smollm2", "name": name} for name in (first, second)]
    (problem,) = problems(tmp_path, json.dumps({"models": models, "tasks": ["a"]}, ensure_ascii=False))
    assert problem.startswith("models: ")
    assert repr(first) in problem


# --- what is wrong ---------------------------------------------------------------------------------------------


def test_every_error_is_told_at_once(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        """
        modles: []
        models:
          - {name: a b, model: smollm2, refrence: x}
          - {name: c}
        metrics: [rouge, redability]
        limit: 0
        bertscore: {encodr: minilm, num_layers: two}
        """,
    )
    wanted = [
        "models.0.name: String should match pattern",
        "models.0.refrence: unknown key; did you mean 'reference'?",
        "models.1.model: missing",
        "tasks: missing",
        "metrics.1: unknown name 'redability'; did you mean 'readability'?",
        "limit: Input should be greater than or equal to 1",
        "bertscore.num_layers: Input should be a valid integer",
        "bertscore.encodr: unknown key; did you mean 'encoder'?",
        "modles: unknown key; did you mean 'models'?",
    ]
    assert len(found) == len(wanted)
    for part in wanted:
        assert sum(problem.startswith(part) for problem in found) == 1, part


def test_a_key_far_from_all_is_told_with_all(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, "models: [smollm2]\ntasks: [a]\nbertscore: {zzz: 1}")
    assert problem == "bertscore.zzz: unknown key; known: encoder, num_layers, batch_size"


def test_a_metric_far_from_all_is_told_with_all(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, "models: [smollm2]\ntasks: [a]\nmetrics: [zzz]")
    assert problem == "metrics.0: unknown name 'zzz'; known: rouge, bertscore, readability, ease"


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("name: 7", "name"),
        ("template: 5", "template"),
        ("data_dir: 1", "data_dir"),
        ("out: 2024-01-01", "out"),
        ("bertscore: {encoder: 3}", "bertscore.encoder"),
        ("metrics: [1]", "metrics.0"),
    ],
)
def test_a_number_where_text_is_needed_is_told(tmp_path: Path, text: str, where: str) -> None:
    (problem,) = problems(tmp_path, f"models: [smollm2]\ntasks: [a]\n{text}")
    assert problem.startswith(f"{where}: ")


@pytest.mark.parametrize(
    ("models", "where"),
    [
        ("7", "models"),
        ("smollm2", "models"),
        ("[]", "models"),
        ("[7]", "models.0"),
        ("[[smollm2]]", "models.0"),
        ("[{model: 7}]", "models.0.model"),
        ('[""]', "models.0.model"),
        ("[{model: smollm2, seed: one}]", "models.0.seed"),
        ("[{model: smollm2, batch_size: 0}]", "models.0.batch_size"),
        ("[{model: smollm2, 1: 2}]", "models.0.1"),
    ],
)
def test_a_broken_model_is_told(tmp_path: Path, models: str, where: str) -> None:
    (problem,) = problems(tmp_path, f"models: {models}\ntasks: [a]")
    assert problem.startswith(f"{where}: ")


def test_two_models_of_one_name_are_told_beside_other_errors(tmp_path: Path) -> None:
    text = "models: [org/a, other/a, b, c, {model: d, name: c}]\ntasks: []"
    first, second = problems(tmp_path, text)
    assert first == "models: two are called 'a', 'c'; give each a `name:` of its own"
    assert second.startswith("tasks: ")


@pytest.mark.parametrize("text", ["", "# nothing\n", "[]", "smollm2", "7"])
def test_a_file_without_keys_is_told(tmp_path: Path, text: str) -> None:
    assert problems(tmp_path, text) == ["expected keys such as models: and tasks:"]


@pytest.mark.parametrize("text", ["models: [", "models: a: b", "\tmodels: [a]", "out: 2024-99-99"])
def test_what_is_not_yaml_is_told_on_one_line(tmp_path: Path, text: str) -> None:
    (problem,) = problems(tmp_path, text)
    assert problem.startswith("not YAML: ")
    assert "\n" not in problem


def test_a_file_that_is_not_utf_8_is_told(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_bytes(b"name: \xff")
    with pytest.raises(ConfigError, match="not YAML: ") as caught:
        config.load(path)
    assert str(path) in str(caught.value)


def test_a_missing_file_and_a_folder_are_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file") as caught:
        config.load(tmp_path / "nothing.yaml")
    assert "nothing.yaml" in str(caught.value)
    with pytest.raises(ConfigError, match="directory"):
        config.load(tmp_path)
