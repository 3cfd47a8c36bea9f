"""Runs `s2train data …`, makes small inputs for it, and reads the folders that it writes."""

from __future__ import annotations

import hashlib
import io
import json
import random
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

from s2train import cli
from s2train.data.records import Pair

ROOT = Path(cli.__file__).parents[2]


class Done(NamedTuple):
    """A command that has ended."""

    code: int
    out: str
    err: str


def s2train(*arguments: object) -> Done:
    """Run a command in this process; without `--processes` with one."""
    asked = [str(argument) for argument in arguments]
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            code = cli.main([*asked, *(() if "--processes" in asked else ("--processes", "1"))])
        except SystemExit as end:
            code = int(end.code or 0)
    return Done(code, out.getvalue(), err.getvalue())


def built(*arguments: object) -> str:
    """Run a command that must end well; what it printed."""
    done = s2train("data", *arguments)
    assert done.code == 0, done.err
    return done.out


def refused(*arguments: object, code: int = 2) -> str:
    """Run a command that must end with that code and one paragraph on standard error, which is given."""
    done = s2train("data", *arguments)
    assert (done.code, done.out) == (code, ""), done.err
    assert done.err.startswith("error: ")
    assert "\n\n" not in done.err
    return done.err


def command(*arguments: object) -> list[str]:
    """The same for a process of its own."""
    return [sys.executable, "-m", "s2train", "data", *map(str, arguments)]


def spawned(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a command in a process of its own."""
    return subprocess.run(command(*arguments), capture_output=True, text=True, cwd=ROOT, timeout=120)


# --- inputs ---


def lines(path: Path, rows: Iterable[object]) -> Path:
    """A file of JSON lines."""
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return path


def plain(folder: Path, *more: str) -> Path:
    """A configuration without filters, as the texts of these inputs are a few made-up words."""
    path = folder / "plain.yaml"
    path.write_text("\n".join(["filters: {order: []}", *more]) + "\n", encoding="utf-8")
    return path


def words(seed: object, number: int) -> str:
    """Made-up words, others for each seed, so that no two texts are alike."""
    chosen = random.Random(str(seed))
    return " ".join("".join(chosen.choices("abcdefghijklmnoprstuvw", k=chosen.randint(3, 8))) for _ in range(number))


def post(number: int, **more: Any) -> dict[str, Any]:
    """A record of the ELI5 schema with an answer."""
    answer = f"Because {words(('answer', number), 12)}."
    made = {"q_id": f"q{number}", "title": f"Why {words(number, 5)}?", "answers": {"text": [answer], "score": [number]}}
    return made | more


def article(number: int, **more: Any) -> dict[str, Any]:
    """An article with a lead."""
    return {"title": words(("title", number), 3).title(), "text": f"It is {words(('lead', number), 14)}."} | more


def dialogue(number: int, **more: Any) -> dict[str, Any]:
    """A pair of hh-rlhf."""
    prompt = f"\n\nHuman: How {words(('prompt', number), 5)}?\n\nAssistant:"
    no, yes = (f" {words((kind, number), 12)}." for kind in ("chosen", "rejected"))
    return {"prompt": prompt, "chosen": no, "rejected": yes} | more


# Of the defaults, share 0.1 and seed 0, printf '0\0…' | sha256sum makes:
ZIPPERS = post(0, q_id="z", title="How do zippers work?")  # 85…, 0.52 of 1: train
CATS = post(1, q_id="c", title="Why do cats purr?")  # 0e…, 0.06: validation


# --- folders ---


def rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a file of JSON lines."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def contents(folder: Path) -> dict[str, bytes]:
    """Every file, hidden ones too."""
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def told(folder: Path) -> dict[str, Any]:
    """The manifest."""
    return json.loads((folder / "manifest.json").read_bytes())


def side(folder: Path, name: str) -> list[dict[str, Any]]:
    """A side of a set, by its stem: `eli5/train`."""
    return rows(folder / f"{name}.jsonl")


def checked(folder: Path) -> dict[str, Any]:
    """The manifest, after everything that it says of the files and of the counts was found to be so."""
    made = told(folder)
    for name, one in made["sets"].items():
        _check_files(folder / name, one["files"])
        dropped = sum(drop["dropped"] for drop in one["funnel"])
        kept = sum(one["files"][f"{side}.jsonl"]["rows"] for side in ("train", "validation"))
        assert one["read"] == dropped + kept, name
        for drop in one["funnel"]:
            assert drop["dropped"] == sum(drop["reasons"].values()), (name, drop["step"])
            assert len(drop["examples"]) == min(10, drop["dropped"]) or drop["step"] == "reading"
    for aspect, one in made["preferences"].items():
        _check_files(folder / "preferences", one["files"])
        reading = one["reading"]
        pairs = sum(reading["pairs"].values())
        assert reading["candidates"] == sum(reading["refused"].values()) + pairs, aspect
        assert pairs == one["contaminated"] + sum(file["rows"] for file in one["files"].values()), aspect
    for path in (folder / "candidates").glob("*.json"):
        facts = json.loads(path.read_bytes())
        lines_of = path.with_suffix(".jsonl").read_bytes()
        assert facts["sha256"] == hashlib.sha256(lines_of).hexdigest(), path
        if path.stem in made["sets"]:
            assert facts["read"] == sum(facts["dropped"].values()) + facts["rows"]
            assert facts["rows"] == lines_of.count(b"\n")
    return made


def _check_files(folder: Path, files: dict[str, dict[str, Any]]) -> None:
    for name, facts in files.items():
        data = (folder / name).read_bytes()
        assert facts["sha256"] == hashlib.sha256(data).hexdigest(), folder / name
        assert facts["rows"] == (data.count(b"\n") if name.endswith(".jsonl") else 0), folder / name


def pairs(number: int) -> Iterator[Pair]:
    """Pairs as they would be read back."""
    for one in range(number):
        yield Pair(f"p{one}", f"Why {words(one, 5)}?", words(("answer", one), 12), "test")
