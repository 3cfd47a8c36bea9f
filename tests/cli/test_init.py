"""`s2eval init`: the file names every key, and is a configuration with and without its comments."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from s2eval import config
from s2eval.cli import main
from s2eval.config import BertscoreOptions, JudgeEntry, ModelEntry, RunConfig
from s2eval.files import yamltext


def init(*arguments: object) -> int:
    with pytest.raises(SystemExit) as left:
        main(["init", *map(str, arguments)])
    assert isinstance(left.value.code, int)
    return left.value.code


def test_it_is_a_configuration(tmp_path: Path) -> None:
    file = tmp_path / "some.yaml"
    assert init(file, "--model", "smollm2", "--model", "adapter:a/b", "--tasks", "s2_eli5, s2_wiki") == 0
    settings = config.load(file)
    assert settings == config.from_mapping(
        {"name": "some", "models": ["smollm2", "adapter:a/b"], "tasks": ["s2_eli5", "s2_wiki"]}, "here"
    )


def test_it_names_every_key_with_its_default(tmp_path: Path) -> None:
    file = tmp_path / "some.yaml"
    init(file)
    uncommented = re.sub(r"^( *)#(?! \S)", r"\1", file.read_text(), flags=re.M)
    raw = yamltext.parse(uncommented, "here").value
    assert raw.keys() == RunConfig.model_fields.keys()
    assert raw["models"][0].keys() == ModelEntry.model_fields.keys()
    assert raw["judges"][0].keys() == JudgeEntry.model_fields.keys()
    assert raw["bertscore"].keys() == BertscoreOptions.model_fields.keys()
    del raw["name"], raw["models"][0]["name"]  # by default made from others
    loaded = config.from_mapping({"name": "some", **raw}, "here")
    defaults = {"name": "some", "models": ["smollm2"], "tasks": raw["tasks"], "judges": ["openai:gpt-4"]}
    assert loaded == config.from_mapping(defaults, "here")


def test_it_replaces_nothing_unasked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "some.yaml"
    file.write_text("kept")
    assert init(file) == 2
    assert "some.yaml exists" in capsys.readouterr().err
    assert file.read_text() == "kept"
    assert init(file, "--force") == 0
    assert config.load(file).tasks == ["s2_leaderboard", "s2_qa"]
