"""A package that is called like the function it is named for: `s2eval.judge(…)` beside `from s2eval.judge import …`.

Why: docs/adr/011-callable-packages.md. To type checkers the name is the function, as the parent package declares it.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType


class _CallablePackage(ModuleType):
    def __call__(self, *args: object, **options: object) -> object:
        module, _, function = self.__dict__["_called"].partition(":")
        return getattr(import_module(module), function)(*args, **options)


def make_callable(package: str, function: str) -> None:
    """Let calls of an imported package go to `function` (`module:name`), which is imported at the first call."""
    module = sys.modules[package]
    module.__dict__["_called"] = function
    module.__class__ = _CallablePackage
