"""What lies in a stopped training's folder, and what may be gone on from."""

from __future__ import annotations

from pathlib import Path

import pytest

from s2eval.errors import PrerequisiteError
from s2train.training import curves, progress


def saved(work: Path, step: int, *, whole: bool = True) -> Path:
    folder = work / f"checkpoint-{step}"
    (folder / "deep").mkdir(parents=True)
    (folder / "weights").write_bytes(b"0" * 10)
    (folder / "deep" / "state").write_bytes(b"1")
    if whole:
        progress.mark_complete(folder, tokens=7)
    return folder


def test_the_newest_complete_checkpoint_by_number_not_by_name(tmp_path: Path) -> None:
    saved(tmp_path, 9)
    ten = saved(tmp_path, 10)
    assert progress.newest_complete(tmp_path) == (10, ten, {"tokens": 7})


def test_one_that_was_being_written_is_removed(tmp_path: Path) -> None:
    kept = saved(tmp_path, 2)
    torn = saved(tmp_path, 4, whole=False)
    found = progress.newest_complete(tmp_path)
    assert found is not None
    assert found.folder == kept
    assert not torn.exists()


def test_one_whose_file_is_shorter_than_it_was_is_not_whole(tmp_path: Path) -> None:
    kept, cut = saved(tmp_path, 2), saved(tmp_path, 4)
    (cut / "weights").write_bytes(b"0" * 9)
    found = progress.newest_complete(tmp_path)
    assert found is not None
    assert found.folder == kept
    assert progress.newest_complete(tmp_path / "nothing") is None


def test_lines_after_the_step_are_written_again(tmp_path: Path) -> None:
    path = tmp_path / progress.METRICS
    for step in (1, 2, 3):
        progress.append(path, {"step": step, "loss": float("nan") if step == 2 else 0.5})
    with path.open("a") as file:
        file.write('{"step": 4, "lo')  # killed
    progress.cut(path, 2)
    assert progress.read(path) == [{"step": 1, "loss": 0.5}, {"step": 2, "loss": None}]


def test_a_resumed_training_keeps_generations_with_any_separator(tmp_path: Path) -> None:
    path = tmp_path / progress.GENERATIONS
    answers = ["one\u2028two", "one\u0085two\u2029three", "one\x0btwo\x0cthree\x1cfour"]
    for answer in answers:
        progress.append(path, {"step": 1, "answer": answer})
    with path.open("ab") as file:
        file.write(b'{"step": 2, "answer": "caf\xc3')  # killed within a character
    progress.cut(path, 1)
    assert [record["answer"] for record in progress.read(path)] == answers
    assert path.read_bytes().count(b"\n") == 3


def test_another_training_is_not_gone_on_from(tmp_path: Path) -> None:
    mine = {"recipe": {"arguments": {"seed": 0}, "data": {"limit": 3}}, "base": "a"}
    progress.check_same_training(tmp_path, mine)
    other = {"recipe": {"arguments": {"seed": 1}, "data": {"limit": 3}}, "base": "b"}
    progress.check_same_training(tmp_path, other)  # nothing is lost yet
    saved(tmp_path, 2)
    progress.check_same_training(tmp_path, other)
    with pytest.raises(PrerequisiteError, match=r"its base, arguments.seed differ. --fresh restarts it"):
        progress.check_same_training(tmp_path, mine)


def test_curves(tmp_path: Path) -> None:
    logged = [
        {"step": 1, "loss": 2.0},
        {"step": 2, "loss": 1.0},
        {"step": 2, "eval_loss": 1.5},
        {"step": 3, "loss": None},
    ]
    assert curves.series(logged, "loss") == ([1, 2], [2.0, 1.0])
    curves.draw(logged, tmp_path / "curves.svg")
    picture = (tmp_path / "curves.svg").read_text()
    assert "validation" in picture
    assert "learning rate" not in picture
    curves.draw([], tmp_path / "none.svg")
    assert not (tmp_path / "none.svg").exists()
