"""A folder that replaces another: killed at every point, either the old bytes or the new ones have the name."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from s2eval import store
from s2eval.files import replacement

OLD, NEW = {"unit.json": b"old", "deep/samples.jsonl": b"old\n" * 1000}, {"unit.json": b"new", "more": b""}


def write(folder: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def killed(action: Callable[[], object]) -> None:
    """Run it in a process of its own, which must end by SIGKILL."""
    process = multiprocessing.get_context("fork").Process(target=action)
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL


def die(*_: object, **__: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    folder = tmp_path / "run" / "a model [1]" / "task*"  # names that mean something to glob
    write(folder, OLD)
    return folder


def replace(unit: Path) -> None:
    with store.new_unit(unit) as folder:
        write(folder, NEW)


def by_renames(count: int) -> None:
    """A file system without exchange; the process dies after `count` renames of the folders."""
    replacement._exchange = lambda *_: False
    rename, done = Path.rename, [0]

    def counted(self: Path, target: Path) -> Path:
        if done[0] == count:
            die()
        done[0] += 1
        return rename(self, target)

    Path.rename = counted  # type: ignore[method-assign]


def before_the_exchange() -> None:
    replacement._exchange = die  # type: ignore[assignment]


def after_the_exchange() -> None:
    replacement._remove = die  # type: ignore[assignment]


def after_both_renames() -> None:
    by_renames(2)
    remove, calls = replacement._remove, [0]

    def second(path: Path) -> None:
        calls[0] += 1
        die() if calls[0] == 2 else remove(path)

    replacement._remove = second


@pytest.mark.parametrize(
    ("point", "wanted"),
    [
        (before_the_exchange, OLD),
        (after_the_exchange, NEW),
        (lambda: by_renames(0), OLD),
        (lambda: by_renames(1), OLD),
        (after_both_renames, NEW),
    ],
    ids=["before the exchange", "after the exchange", "before renames", "between renames", "after renames"],
)
def test_killed_while_a_unit_is_replaced(unit: Path, point: Callable[[], None], wanted: dict[str, bytes]) -> None:
    killed(lambda: (point(), replace(unit)))
    store.clear_unfinished(unit.parents[1])
    assert content(unit) == wanted
    assert [path.name for path in unit.parent.iterdir()] == [unit.name]
    replace(unit)
    assert content(unit) == NEW


def test_with_an_exchange_the_name_is_never_free(unit: Path) -> None:
    if replacement._exchange_call() is None:
        pytest.skip("this system cannot exchange names")
    killed(lambda: (after_the_exchange(), replace(unit)))
    assert content(unit) == NEW  # before anything is recovered


def test_a_rename_that_fails_leaves_the_old_unit(unit: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rename, calls = Path.rename, [0]

    def second_fails(self: Path, target: Path) -> Path:
        calls[0] += 1
        if calls[0] == 2:
            raise OSError(5, "Input/output error")
        return rename(self, target)

    monkeypatch.setattr(replacement, "_exchange", lambda *_: False)
    monkeypatch.setattr(Path, "rename", second_fails)
    with pytest.raises(OSError, match="Input/output"):
        replace(unit)
    assert content(unit) == OLD
    assert [path.name for path in unit.parent.iterdir()] == [unit.name]


def test_what_version_0_1_0_left_between_its_renames_is_restored(tmp_path: Path) -> None:
    write(tmp_path / "model" / ".unfinished-task-ab_12345" / "replaced", OLD)
    write(tmp_path / "model" / ".unfinished-task-cd_12345", NEW)
    store.clear_unfinished(tmp_path)
    assert content(tmp_path / "model" / "task") == OLD
    assert [path.name for path in (tmp_path / "model").iterdir()] == ["task"]


def test_a_folder_that_was_written_since_is_not_replaced_by_the_one_that_waits(unit: Path) -> None:
    write(unit.with_name(f".replaced-{unit.name}"), NEW)
    store.clear_unfinished(unit.parents[1])
    assert content(unit) == OLD
    assert [path.name for path in unit.parent.iterdir()] == [unit.name]


def test_a_link_to_a_folder_is_replaced_and_its_target_stays(tmp_path: Path) -> None:
    write(tmp_path / "elsewhere", OLD)
    (tmp_path / "unit").symlink_to(tmp_path / "elsewhere")
    replace(tmp_path / "unit")
    assert content(tmp_path / "unit") == NEW
    assert content(tmp_path / "elsewhere") == OLD
    assert sorted(path.name for path in tmp_path.iterdir()) == ["elsewhere", "unit"]


def test_a_file_is_never_replaced_by_a_folder(tmp_path: Path) -> None:
    (tmp_path / "unit").write_text("a thesis")
    with pytest.raises(store.PrerequisiteError, match="File exists"):
        replace(tmp_path / "unit")
    assert (tmp_path / "unit").read_text() == "a thesis"
