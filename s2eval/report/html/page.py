"""`Document` and samples → one HTML page that needs no network and can run no script but its own."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from s2eval import store
from s2eval.report.document import Document
from s2eval.report.html import page_assets
from s2eval.report.html.samples import SampleSet, sample_sets
from s2eval.report.html.shell import Packed, render_page
from s2eval.report.read.items import Scored

LARGEST = 10_000_000
"""Bytes of a page that holds its samples itself; with more, they lie in a folder beside it."""


def write_page(path: Path, document: Document, scored: Sequence[Scored] = (), *, largest: int = LARGEST) -> Path:
    """Write the page and return its path; above `largest` bytes its samples are in a folder beside it.

    Args:
        scored: the samples, whose texts are read from their sources; without them the page has no text of data sets.

    Raises:
        PrerequisiteError: the folder beside it holds other files, or there is no space or permission.
    """
    packed = pack(sample_sets(scored))
    text = render_page(document, packed)
    folder = page_assets.folder_of(path)
    with store.explain_os_errors(path):
        beside = len(text.encode()) > largest and bool(packed.texts)
        if beside:
            page_assets.write(folder, packed.texts, packed.key)
            text = render_page(document, packed, folder)
        else:
            page_assets.check(folder)
        with store.write_atomically(path) as file:
            file.write(text)
        if not beside:  # not before: until now the page of this name needed the folder
            page_assets.remove(folder)
    return path


def pack(sets: Iterable[SampleSet]) -> Packed:
    """Pieces of every set: `0-columns`, `0-numbers`, and `0-0`, `0-1`, … with its documents in their order."""
    about: list[Mapping[str, object]] = []
    texts: dict[str, str] = {}
    for number, samples in enumerate(sets):
        firsts: list[int] = []
        for at, (first, content) in enumerate(samples.chunks()):
            firsts.append(first)
            texts[f"{number}-{at}"] = _base64(content)
        texts[f"{number}-columns"] = _base64(samples.columns())
        texts[f"{number}-numbers"] = _base64(samples.numbers())
        about.append({**samples.about(), "firsts": firsts})
    digest = hashlib.sha256("\0".join(f"{name}\0{text}" for name, text in texts.items()).encode("ascii"))
    return Packed(about, texts, digest.hexdigest()[:16])


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")
