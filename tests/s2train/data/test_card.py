"""The card: its front matter names what `datasets` can load, its tables say what the manifest says."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.s2train.data.folders import article, built, dialogue, lines, plain, post, rows, side, told


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All sets, and preferences of one aspect."""
    out, inputs = tmp_path_factory.mktemp("card") / "out", tmp_path_factory.mktemp("inputs")
    for name, make in (("eli5", post), ("wiki", article), ("preferences", dialogue)):
        source = lines(inputs / f"{name}.jsonl", map(make, range(60)))
        built(name, "--input", source, "--out", out, "--config", plain(inputs), "--validation-share", 0.3)
    return out


def front_matter(folder: Path) -> dict[str, Any]:
    head, _, _ = (folder / "dataset_card.md").read_text(encoding="utf-8").removeprefix("---\n").partition("\n---\n")
    return yaml.safe_load(head)


def loaded(folder: Path, name: str, cache: Path) -> dict[str, list[dict[str, Any]]]:
    """A configuration as the hub would give it: the card is a data set's README there."""
    from datasets import load_dataset  # pyright: ignore[reportMissingTypeStubs, reportUnknownVariableType]

    shutil.copytree(folder, cache / "copy", dirs_exist_ok=True)
    (cache / "copy" / "dataset_card.md").rename(cache / "copy" / "README.md")
    found: Any = load_dataset(str(cache / "copy"), name, cache_dir=str(cache / "cache"))
    return {split: list(some) for split, some in found.items()}


def test_datasets_loads_every_configuration(folder: Path, tmp_path: Path) -> None:
    configs = front_matter(folder)["configs"]
    assert [one["config_name"] for one in configs] == ["eli5", "wiki", "full", "harmlessness"]
    for config in configs:
        for source in config["data_files"]:
            assert (folder / source["path"]).is_file()
    full = loaded(folder, "full", tmp_path)
    for split in ("train", "validation"):
        expected = side(folder, f"full/{split}")
        names = ["id", "question", "answer", "source", "score", "category", "title"]
        assert [{name: row.get(name) for name in names} for row in expected] == [
            {name: row[name] for name in names} for row in full[split]
        ]
    preferences = loaded(folder, "harmlessness", tmp_path)
    assert preferences["train"] == rows(folder / "preferences" / "harmlessness.jsonl")
    assert preferences["validation"] == rows(folder / "preferences" / "harmlessness.validation.jsonl")


def test_a_side_without_a_row_is_no_split(tmp_path: Path) -> None:
    source = lines(tmp_path / "in.jsonl", map(dialogue, range(3)))
    more = lines(tmp_path / "posts.jsonl", map(post, range(3)))
    out = tmp_path / "out"
    for name, file in (("preferences", source), ("eli5", more)):
        built(name, "--input", file, "--out", out, "--config", plain(tmp_path), "--validation-share", 0)
    assert [
        (one["config_name"], [source["split"] for source in one["data_files"]]) for one in front_matter(out)["configs"]
    ] == [("eli5", ["train"]), ("harmlessness", ["train"])]
    assert len(loaded(out, "harmlessness", tmp_path)["train"]) == 3
    assert len(loaded(out, "eli5", tmp_path)["train"]) == 3


def table(folder: Path, title: str) -> list[list[str]]:
    """The cells of a section's table."""
    text = (folder / "dataset_card.md").read_text(encoding="utf-8")
    section = text.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    found = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in found if not re.fullmatch("[-:]*", row[0])]


def test_the_tables_say_what_the_manifest_says(folder: Path) -> None:
    made = told(folder)
    sizes = {
        name: [one["files"][f"{side}.jsonl"]["rows"] for side in ("train", "validation")]
        for name, one in made["sets"].items()
    }
    shown = {row[0]: list(map(int, row[2:])) for row in table(folder, "Sets")[1:]}
    assert {name: shown[name] for name in sizes} == sizes
    assert sum(shown["harmlessness"]) == sum(made["preferences"]["harmlessness"]["reading"]["pairs"].values())
    head, *steps = table(folder, "What was left out")
    assert head == ["step", "eli5", "wiki"]
    assert steps[0] == ["records read", "60", "60"]
    assert [row[0] for row in steps[1:]] == ["reading", "near-duplicates", "contamination", "kept"]
    for column, name in enumerate(("eli5", "wiki"), start=1):
        assert int(steps[-1][column]) == sum(sizes[name]) == 60 - sum(int(row[column]) for row in steps[1:-1])
    sources = {(row[0], row[1], row[2]) for row in table(folder, "Sources and licences")[1:]}
    assert sources == {
        ("eli5", "eli5.jsonl", "60"),
        ("wiki", "wiki.jsonl", "60"),
        ("harmlessness", "preferences.jsonl", "60"),
    }


def test_no_text_of_a_source_stands_in_the_card(folder: Path) -> None:
    """The manifest has examples of what was left out; the card goes out into the world."""
    text = (folder / "dataset_card.md").read_text(encoding="utf-8")
    everything = [*side(folder, "eli5/train"), *side(folder, "wiki/validation")]
    assert not any(row["question"] in text or row["answer"] in text for row in everything)
