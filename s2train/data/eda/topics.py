"""Words that distinguish groups of pairs, as a report shows them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest

from s2eval.report.document import Block, Prose, TextTable
from s2train.data.eda.measures import CATEGORY, SOURCE
from s2train.data.eda.numbers import NOTHING, percent, shown
from s2train.data.eda.tallies import Counts, Tally
from s2train.data.eda.words import FAR, contrast

_WORDS = 12  # shown of each group
_GROUPS = 12  # sources or categories whose words are shown


def contrast_words(first: tuple[str, Tally], second: tuple[str, Tally]) -> Iterator[Block]:
    """Words that distinguish two named groups, the furthest first."""
    (name_first, tally_first), (name_second, tally_second) = first, second
    contrasted = contrast(tally_first.words, tally_second.words, tally_first.pairs + tally_second.pairs)
    if not contrasted.words:
        return
    counted = (
        f"Of {len(contrasted.words):,} words {contrasted.far:,} have |z| above {FAR:g}, where chance alone gives about "
        f"{contrasted.by_chance:,.0f}"
    )
    if not contrasted.differs:
        most, least = contrasted.words[0], contrasted.words[-1]
        yield Prose(
            f"Words do not tell {name_first} and {name_second} apart. {counted}; the furthest are {most.word} "
            f"({shown(most.z, 1)}, more in {name_first}) and {least.word} ({shown(least.z, 1)})."
        )
        return
    yield Prose(
        f"Words tell {name_first} and {name_second} apart. {counted}; the furthest, and the shares that have them:"
    )
    rows: list[list[str]] = []
    for both in zip_longest(contrasted.more_in_first(_WORDS), contrasted.more_in_second(_WORDS)):
        row: list[str] = []
        for word in both:
            if word is None:
                row += [""] * 4
            else:
                shares = percent(word.first, tally_first.pairs), percent(word.second, tally_second.pairs)
                row += [word.word, shown(word.z, 1), *(share.removesuffix("%") for share in shares)]
        rows.append(row)
    share = [f"% of {name_first}", f"% of {name_second}"]
    yield TextTable([f"more in {name_first}", "z", *share, f"more in {name_second}", "z", *share], rows, words=(0, 4))


def topics(tally: Tally) -> Iterator[Block]:
    """For each source and category, the words that its pairs have more often than the set's other pairs."""
    for kind in (SOURCE, CATEGORY):
        groups = tally.shares(kind)
        if len(groups) < 2:
            continue
        rows: list[list[str]] = []
        for name, pairs in list(groups.items())[:_GROUPS]:
            own = tally.by_group[kind, str(name)]
            others = Counts(tally.words.counts - own.counts)
            words = contrast(own, others, tally.pairs).more_in_first(_WORDS)
            rows.append([str(name), f"{pairs:,}", ", ".join(word.word for word in words) or NOTHING])
        yield Prose(f"By {kind}, the words that tell its pairs from the set's others, the furthest first:")
        yield TextTable([kind, "pairs", "words"], rows, words=(0, 2))
