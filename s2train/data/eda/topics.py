"""Words that tell groups of pairs apart, as a report shows them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest

from s2eval.report.document import Block, Prose, TextTable
from s2train.data.eda.folder import Measured
from s2train.data.eda.measures import CATEGORY, SOURCE
from s2train.data.eda.numbers import NOTHING, shown
from s2train.data.eda.words import FAR, Contrast, Distinct, contrast

_WORDS = 12  # shown of each group
_GROUPS = 12  # sources or categories whose words are shown


def words(apart: Contrast, first: tuple[str, int], second: tuple[str, int]) -> Iterator[Block]:
    """Words that tell two groups apart, the most telling first."""
    (name_first, pairs_first), (name_second, pairs_second) = first, second
    if not apart.words:
        return
    counted = (
        f"Of {len(apart.words):,} words {apart.far:,} have |z| above {FAR:g}, where chance alone gives about "
        f"{apart.by_chance:,.0f}"
    )
    if not apart.tells:
        most, least = apart.words[0], apart.words[-1]
        yield Prose(
            f"Words do not tell {name_first} and {name_second} apart. {counted}; the furthest are {most.word} "
            f"({shown(most.z, 1)}, more in {name_first}) and {least.word} ({shown(least.z, 1)})."
        )
        return
    yield Prose(
        f"Words tell {name_first} and {name_second} apart. {counted}; the furthest, and the shares that have them:"
    )
    left, right = apart.more_in_first(_WORDS), apart.more_in_second(_WORDS)
    rows = [
        [text for word in both for text in _word_cells(word, pairs_first, pairs_second)]
        for both in zip_longest(left, right)
    ]
    share = [f"% of {name_first}", f"% of {name_second}"]
    yield TextTable([f"more in {name_first}", "z", *share, f"more in {name_second}", "z", *share], rows, words=(0, 4))


def _word_cells(word: Distinct | None, pairs_first: int, pairs_second: int) -> list[str]:
    if word is None:
        return [""] * 4
    return [
        word.word,
        shown(word.z, 1),
        f"{word.first / pairs_first:.1%}"[:-1],
        f"{word.second / pairs_second:.1%}"[:-1],
    ]


def topics(measured: Measured) -> Iterator[Block]:
    """What the pairs of each source and category speak of that the set's other pairs do not."""
    for kind in (SOURCE, CATEGORY):
        groups = measured.kept.shares(kind)
        if len(groups) < 2:
            continue
        rows: list[list[str]] = []
        for name, pairs in list(groups.items())[:_GROUPS]:
            own, rest = measured.kept.split_words((kind, str(name)))
            telling = contrast(own, rest, measured.kept.pairs).more_in_first(_WORDS)
            rows.append([str(name), f"{pairs:,}", ", ".join(word.word for word in telling) or NOTHING])
        yield Prose(f"By {kind}, the words that tell its pairs from the set's others, the furthest first:")
        yield TextTable([kind, "pairs", "words"], rows, words=(0, 2))
