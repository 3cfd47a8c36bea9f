"""Evaluate language models that were fine-tuned to answer simply and safely.

    >>> import s2eval
    >>> run = s2eval.evaluate(["smollm2"], tasks=["s2demo_qa"], limit=8)    # doctest: +SKIP
    >>> run.scores, run.samples("s2demo_eli5"), run.compare().to_frame()    # doctest: +SKIP
    >>> s2eval.score(["Cool dogs wear sunglasses."]).samples                # doctest: +SKIP

Nothing heavy is imported before a function needs it. The modules that users import besides: `s2eval.prompts`,
`s2eval.metrics`, `s2eval.stats`, `s2eval.llm`, `s2eval.models`, `s2eval.store`, `s2eval.report`, `s2eval.errors`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from s2eval.api.comparison import Comparison, compare
    from s2eval.api.evaluating import evaluate
    from s2eval.api.judging import judge
    from s2eval.api.plots import Plot
    from s2eval.api.run import Run, open_run
    from s2eval.api.scores import Scores, score

    __version__: str

__all__ = ["Comparison", "Plot", "Run", "Scores", "compare", "evaluate", "judge", "open_run", "score"]

_MODULES = {
    "Comparison": "comparison",
    "Plot": "plots",
    "Run": "run",
    "Scores": "scores",
    "compare": "comparison",
    "evaluate": "evaluating",
    "open_run": "run",
    "score": "scores",
}


def __getattr__(name: str) -> Any:
    """The public names, each imported when it is first used; `judge` is the package, which is called (docs/adr/011)."""
    from importlib import import_module

    if name in _MODULES:
        value = getattr(import_module(f"s2eval.api.{_MODULES[name]}"), name)
    elif name == "judge":
        value = import_module("s2eval.judge")
    elif name == "__version__":
        value = _version()
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})


def _version() -> str:
    from importlib import metadata

    try:
        return metadata.version("s2eval")
    except metadata.PackageNotFoundError:
        return "0+not-installed"  # a bare checkout on PYTHONPATH
