"""What the sets of a folder hold, as `eda.md` and `eda.html`: distributions before and after the filters, train
against validation, what tells them apart, and the preferences."""

from __future__ import annotations

from pathlib import Path

from s2eval.report.html.shell import render_page
from s2eval.report.render.markdown import render_markdown
from s2train.data.eda.contents import contents
from s2train.data.eda.folder import measure_folder
from s2train.data.engine import Engine
from s2train.data.files.jsonl import replacing
from s2train.data.layout import EDA

__all__ = ["explore"]


def explore(out: Path, engine: Engine) -> list[Path]:
    """Write the two reports of a folder and return their paths; the same folder gives the same bytes on any engine.

    Raises:
        DataError: no set is built, or a file is broken; nothing has changed then.
        PrerequisiteError: the package of the toxicity classifier is missing, or a worker was killed.
    """
    document = contents(measure_folder(out, engine))
    reports = render_markdown(document), render_page(document)
    with replacing(out, EDA) as files:
        for file, report in zip(files, reports, strict=True):
            file.append(report.encode())
    return [out / name for name in EDA]
