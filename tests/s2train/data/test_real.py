"""A few hundred real records of every kind: the same folder on every engine and in every order, and what it holds."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
import sys
import textwrap
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from s2train.data import layout
from s2train.data.build.candidates import DUPLICATE, read_eli5, read_wiki
from s2train.data.config import DataConfig
from s2train.data.dedup.duplicates import jaccard
from s2train.data.engine import Local
from s2train.data.preferences import ASPECTS
from tests.s2train.data.folders import ROOT, built, checked, command, contents, lines, rows, side

SHARE = ("--validation-share", 0.3)  # so that both sides have many


def some(path: Path, number: int) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in itertools.islice(file, number)]


@pytest.fixture(scope="module")
def inputs(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Path]]:
    """Command → what it reads. 40 posts are asked a second time, in other words, and 20 by an article's title."""
    folder = tmp_path_factory.mktemp("inputs")
    posts = some(shared_data / "eli5" / "explainlikeimfive.jsonl", 300)
    again = [{**one, "q_id": f"again{n}", "title": f"{one['title'].upper()} So?"} for n, one in enumerate(posts[:40])]
    leads = some(shared_data / "simplewiki" / "swipe_pairs.jsonl", 200)
    asked = [
        {**one, "q_id": f"title{n}", "title": f"what is {leads[n]['title']}"} for n, one in enumerate(posts[40:60])
    ]
    eli5, wiki = lines(folder / "eli5.jsonl", [*posts, *again, *asked]), lines(folder / "leads.jsonl", leads)
    hh = lines(folder / "hh.jsonl", some(shared_data / "preferences" / "hh_harmless_base.jsonl", 150))
    return {"eli5": [eli5], "wiki": [wiki], "preferences": [eli5, wiki, hh]}


@pytest.fixture(scope="module")
def folder(inputs: dict[str, list[Path]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All sets and preferences, by one process."""
    out = tmp_path_factory.mktemp("one") / "out"
    for name, files in inputs.items():
        built(name, "--input", *files, "--out", out, *SHARE)
    return out


def test_every_record_is_accounted_for(folder: Path) -> None:
    made = checked(folder)
    assert {name: one["read"] for name, one in made["sets"].items() if name != "full"} == {"eli5": 360, "wiki": 200}
    assert {name for name, one in made["sets"].items() if one["files"]["validation.jsonl"]["rows"] > 10} == {
        "eli5",
        "wiki",
        "full",
    }
    assert list(made["preferences"]) == [*ASPECTS]
    assert set(made["preferences"]["simplicity"]["reading"]["pairs"]) == {"reddit/explainlikeimfive", "swipe"}
    dropped = Counter[str]()
    for name in ("eli5", "wiki"):
        dropped.update({drop["step"]: drop["dropped"] for drop in made["sets"][name]["funnel"]})
    assert all(dropped[step] for step in ("reading", "length", "readability", "toxicity", "near-duplicates"))


def test_full_is_the_union(folder: Path) -> None:
    for name in layout.SIDES:
        parts = [*side(folder, f"eli5/{name}"), *side(folder, f"wiki/{name}")]
        assert sorted(row["id"] for row in side(folder, f"full/{name}")) == sorted(row["id"] for row in parts)


def questions(folder: Path, name: str) -> set[str]:
    """All questions and prompts of a side."""
    end = ".validation" if name == "validation" else ""
    found = {row["question"] for row in side(folder, f"full/{name}")}
    for aspect in ASPECTS:
        found |= {row["prompt"] for row in rows(folder / "preferences" / f"{aspect}{end}.jsonl")}
    return found


def test_no_two_questions_that_are_alike_are_on_two_sides(folder: Path) -> None:
    """Every question against every one of the other side. Of pairs 0.85 alike banding misses one in a thousand."""

    def titled(question: str) -> set[str]:
        return {question, question.partition("\n\n")[0]} - {""}

    train, validation = (questions(folder, name) for name in layout.SIDES)
    assert min(len(train), len(validation)) > 60
    assert not train & validation
    for held_out, asked in itertools.product(validation, train):
        for one, other in itertools.product(titled(held_out), titled(asked)):
            if 0.8 < len(one) / len(other) < 1.25:
                assert jaccard(one, other) < 0.85, (held_out, asked)


def test_what_was_asked_again_stays_with_its_first(folder: Path, inputs: dict[str, list[Path]]) -> None:
    """The first 40 posts stand there twice, and give pairs of answers under both titles."""
    sides: dict[str, str] = {}
    for name, end in (("train", ""), ("validation", ".validation")):
        for row in rows(folder / "preferences" / f"helpfulness{end}.jsonl"):
            sides[row["prompt"].partition("\n\n")[0]] = name
    posts = rows(inputs["eli5"][0])
    twice = [(one["title"], again["title"]) for one, again in zip(posts[:40], posts[300:340], strict=True)]
    found = [(sides[one], sides[again]) for one, again in twice if one in sides and again in sides]
    assert all(one == again for one, again in found)
    assert {one for one, _ in found} == set(layout.SIDES)


def test_another_order_and_two_processes_give_the_same_bytes(
    folder: Path, inputs: dict[str, list[Path]], tmp_path: Path
) -> None:
    """With the candidates of preferences as they were read (reading them is in preferences/test_reading.py)."""
    out = tmp_path / "out"
    (out / "candidates").mkdir(parents=True)
    for aspect in ASPECTS:
        for path in (folder / "candidates").glob(f"{aspect}.*"):
            shutil.copy(path, out / "candidates")
    for name in ("wiki", "eli5"):
        program = command(name, "--input", *inputs[name], "--out", out, *SHARE, "--processes", 2)
        done = subprocess.run(program, capture_output=True, text=True, cwd=ROOT)
        assert done.returncode == 0, done.stderr
    assert contents(out) == contents(folder)


def test_three_processes_give_the_same_bytes(folder: Path, inputs: dict[str, list[Path]], tmp_path: Path) -> None:
    built("eli5", "--input", *inputs["eli5"], "--out", tmp_path / "1", *SHARE)
    built("eli5", "--input", *inputs["eli5"], "--out", tmp_path / "3", *SHARE, "--processes", 3)
    assert contents(tmp_path / "1") == contents(tmp_path / "3")
    same = ("candidates/eli5.json", "candidates/eli5.jsonl")
    assert all(contents(tmp_path / "3")[name] == contents(folder)[name] for name in same)


def test_two_ray_nodes_give_the_same_bytes(folder: Path, inputs: dict[str, list[Path]], tmp_path: Path) -> None:
    """A real cluster on this machine, one CPU a node, found by RAY_ADDRESS as a user's would be."""
    script = """
        import json, os, sys
        from ray.cluster_utils import Cluster
        from s2train.cli import main

        if __name__ == "__main__":
            cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
            cluster.add_node(num_cpus=1)
            os.environ["RAY_ADDRESS"] = cluster.address
            for arguments in json.loads(sys.argv[1]):
                try:
                    main(arguments)
                except SystemExit as end:
                    assert not end.code, arguments
            import ray
            print("nodes", len(ray.nodes()))
            ray.shutdown()
            cluster.shutdown()
        """
    commands = [
        ["data", name, "--input", *map(str, files), "--out", str(tmp_path / "out"), *map(str, SHARE), "--engine", "ray"]
        for name, files in inputs.items()
    ]
    program = [sys.executable, "-c", textwrap.dedent(script), json.dumps(commands)]
    done = subprocess.run(program, capture_output=True, text=True, cwd=ROOT, timeout=280)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "nodes 2"
    assert contents(tmp_path / "out") == contents(folder)


def test_all_real_records_are_read(tmp_path: Path, shared_data: Path) -> None:
    """5,411 posts, one of them titled `[deleted by user]`; two files of 500 questions only; 700 articles, of which
    five are disambiguation pages, one is a list, and two are vandalised ones of thousands of words."""
    eli5 = sorted(map(str, (shared_data / "eli5").glob("*.jsonl")))
    reading = read_eli5(eli5, tmp_path, DataConfig(), Local())
    assert (reading.read, reading.dropped["no answer"], reading.rows) == (5411 + 500 + 500, 1000, 5410)
    assert reading.dropped[DUPLICATE] == 0
    wiki = read_wiki([str(shared_data / "simplewiki" / "swipe_pairs.jsonl")], tmp_path, DataConfig(), Local())
    assert (wiki.read, wiki.rows) == (700, 692)
    assert sorted(count for count in wiki.dropped.values() if count) == [1, 2, 5]
    for name in layout.SETS:
        everything = rows(layout.candidates(tmp_path, name))
        assert len({row["id"] for row in everything}) == len(everything)
        assert all(row["question"].strip() and row["answer"].strip() for row in everything)
        assert not [row["id"] for row in everything if "URL_0" in row["question"] + row["answer"]]
