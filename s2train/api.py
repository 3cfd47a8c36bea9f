"""What `import s2train` offers: each command as a function. Merging is in `s2train.merge`, data in `s2train.data`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from s2train.data.building import Built, build_data
from s2train.stages import Trained, train

if TYPE_CHECKING:
    from s2train.label.report import Report

__all__ = ["Built", "Trained", "build_data", "label", "train"]


def label(
    *,
    policy: str,
    rank: str | Sequence[str],
    out: str | Path,
    prompts: str | Path | None = None,
    data: str | Path | None = None,
    set_name: str = "eli5",
    side: str = "train",
    sampling: Mapping[str, Any] | None = None,
    log: Callable[[str], object] = lambda _: None,
    **options: Any,
) -> Report:
    """Sample answers, rank them, and write preferences; called again, it resumes.

    Args:
        policy: MODEL that answers.
        rank: `reward:FOLDER[*WEIGHT][+reward:…]` or `dpo:FOLDER[@REFERENCE]`; the first labels, others are compared.
        out: file of preferences.
        prompts: JSON lines with a field prompt or question; or
        data, set_name, side: a folder of `s2train data`, one of its sets and sides.
        sampling: fields of `s2train.label.sampling.Sampling`.
        log: called with each line of what is to be done.
        options: further fields of `s2train.label.job.Request`, such as `answers`, `limit`, `aspect`.

    Returns:
        How far the rankings agree.
    """
    from s2train.label import job as jobs
    from s2train.label.run import run
    from s2train.label.sampling import Sampling

    job = jobs.prepare(
        jobs.Request(
            prompts=jobs.sources(Path(prompts) if prompts else None, Path(data) if data else None, set_name, side),
            policy=policy,
            rankings=(rank,) if isinstance(rank, str) else tuple(rank),
            out=Path(out).expanduser(),
            how=Sampling(**(sampling or {})),
            **options,
        )
    )
    for line in job.lines():
        log(line)
    return run(job, lambda *_: None)
