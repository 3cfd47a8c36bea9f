"""The wheel: what it carries, and that it works where there is no checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def wheel(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(repository)]
    finished = subprocess.run(command, capture_output=True, text=True)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    (path,) = out.glob("s2eval-*.whl")
    return path


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scripts folder of a fresh environment with the wheel; all other packages are this environment's.

    Those are appended to its path, so that the editable s2eval of this environment does not come first.
    """
    home = tmp_path_factory.mktemp("fresh") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(home)], check=True)
    scripts = home / "bin"
    pip = [sys.executable, "-m", "pip", "--python", str(scripts / "python")]
    install = [*pip, "install", "--no-deps", "--no-index", "--quiet", str(wheel)]
    finished = subprocess.run(install, capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
    packages = Path(said("import sysconfig; print(sysconfig.get_path('purelib'))", scripts, home).strip())
    # a plain path: of what lies there, no .pth file is run
    (packages / "zz_other_packages.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    return scripts


def run(*command: str, cwd: Path) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    finished = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def said(program: str, scripts: Path, cwd: Path) -> str:
    return run(str(scripts / "python"), "-c", program, cwd=cwd)


def carried(repository: Path, folder: str) -> set[str]:
    """The files of a folder of the repository as they are called inside the wheel."""
    paths = (path for path in (repository / folder).rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {f"s2eval/_assets/{path.relative_to(repository)}" for path in paths}


@pytest.mark.parametrize("folder", ["tasks", "judges", "results/reference"])
def test_it_carries_every_file(folder: str, names: set[str], repository: Path) -> None:
    wanted = carried(repository, folder)
    assert wanted
    assert wanted <= names


def test_it_carries_every_module(names: set[str], repository: Path) -> None:
    modules = {
        str(path.relative_to(repository)) for top in ("s2eval", "s2train") for path in (repository / top).rglob("*.py")
    }
    assert modules <= names


def test_it_hooks_lm_eval_and_adds_no_other_top_level_name(names: set[str]) -> None:
    tops = {name.partition("/")[0] for name in names}
    (information,) = (top for top in tops if top.endswith(".dist-info"))
    assert tops == {"s2eval", "s2train", "s2eval_hook.py", "s2eval_lm_eval.pth", information}


def test_it_declares_the_entry_points_of_later_lm_evals(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (path,) = (name for name in archive.namelist() if name.endswith("entry_points.txt"))
        text = archive.read(path).decode()
    for group in ("lm_eval.models", "lm_eval.metrics", "lm_eval.aggregations", "lm_eval.tasks", "console_scripts"):
        assert f"[{group}]" in text
    assert "s2 = s2eval.models.s2:S2LM" in text


def test_the_installed_package_is_the_wheels(installed: Path, tmp_path: Path, repository: Path) -> None:
    program = "import s2eval, sys; print(s2eval.__file__, *sys.path, sep='\\n')"
    place, *paths = said(program, installed, tmp_path).splitlines()
    assert Path(place).is_relative_to(installed.parent)
    assert str(repository) not in paths
    assert sysconfig.get_path("purelib") in paths  # the other packages are this environment's


def test_s2eval_works_there(installed: Path, tmp_path: Path) -> None:
    listed = run(str(installed / "s2eval"), "ls", "tasks", cwd=tmp_path).split()
    assert {"s2_leaderboard", "s2_mmlu_virology", "s2demo_eli5"} <= set(listed)
    folder = Path(run(str(installed / "s2eval"), "ls", "tasks", "--path", cwd=tmp_path).strip())
    assert folder.is_relative_to(installed.parent)
    assert (folder / "leaderboard" / "truthfulqa_preamble.txt").is_file()
    rows = said("from s2eval.report import load_references; print(load_references().model_rows)", installed, tmp_path)
    assert "Llama-2-7b-ELI5" in rows


def test_lm_eval_knows_the_tasks_there(installed: Path, tmp_path: Path) -> None:
    lines = run(str(installed / "python"), "-m", "lm_eval", "ls", "tasks", cwd=tmp_path).splitlines()
    for name in ("s2_leaderboard", "s2_mmlu", "s2demo_wiki"):
        (line,) = (line for line in lines if line.startswith(f"|{name} "))
        assert str(installed.parent) in line


def test_a_demonstration_task_is_built_there(installed: Path, tmp_path: Path) -> None:
    program = """
from lm_eval.tasks import TaskManager
from s2eval import paths
manager = TaskManager(include_path=str(paths.tasks()), include_defaults=False)
task = manager.load(["s2demo_mmlu"])["tasks"]["s2demo_mmlu"]
print(len(task.eval_docs), type(task).__module__)
"""
    count, module = said(program, installed, tmp_path).split()
    assert int(count) >= 24
    assert module == "lm_eval.api.task"


def test_s2train_is_there(installed: Path, tmp_path: Path) -> None:
    assert "data" in run(str(installed / "s2train"), "--help", cwd=tmp_path)
