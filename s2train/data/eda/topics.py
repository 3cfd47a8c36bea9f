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


def words(found: Contrast, one: tuple[str, int], other: tuple[str, int]) -> Iterator[Block]:
    """Words that tell two groups apart, the most telling first."""
    (name_one, pairs_one), (name_other, pairs_other) = one, other
    if not found.words:
        return
    counted = (
        f"Of {len(found.words):,} words {found.far:,} have |z| above {FAR:g}, where chance alone gives about "
        f"{found.by_chance:,.0f}"
    )
    if not found.tells:
        first, last = found.words[0], found.words[-1]
        yield Prose(
            f"Words do not tell {name_one} and {name_other} apart. {counted}; the furthest are {first.word} "
            f"({shown(first.z, 1)}, more in {name_one}) and {last.word} ({shown(last.z, 1)})."
        )
        return
    yield Prose(
        f"Words tell {name_one} and {name_other} apart. {counted}; the furthest, and the shares that have them:"
    )
    left, right = found.more_in_one(_WORDS), found.more_in_other(_WORDS)
    rows = [
        [text for word in both for text in _word_cells(word, pairs_one, pairs_other)]
        for both in zip_longest(left, right)
    ]
    share = [f"% of {name_one}", f"% of {name_other}"]
    yield TextTable([f"more in {name_one}", "z", *share, f"more in {name_other}", "z", *share], rows, words=(0, 4))


def _word_cells(word: Distinct | None, pairs_one: int, pairs_other: int) -> list[str]:
    if word is None:
        return [""] * 4
    return [word.word, shown(word.z, 1), f"{word.one / pairs_one:.1%}"[:-1], f"{word.other / pairs_other:.1%}"[:-1]]


def topics(one: Measured) -> Iterator[Block]:
    """What the pairs of each source and category speak of that the set's other pairs do not."""
    for kind in (SOURCE, CATEGORY):
        groups = one.kept.shares(kind)
        if len(groups) < 2:
            continue
        rows: list[list[str]] = []
        for name, pairs in list(groups.items())[:_GROUPS]:
            own, rest = one.kept.split_words((kind, str(name)))
            found = contrast(own, rest, one.kept.pairs).more_in_one(_WORDS)
            rows.append([str(name), f"{pairs:,}", ", ".join(word.word for word in found) or NOTHING])
        yield Prose(f"By {kind}, the words that tell its pairs from the set's others, the furthest first:")
        yield TextTable([kind, "pairs", "words"], rows, words=(0, 2))
