"""Whether ROUGE and Flesch apply to a text: both know words in Latin letters only.

ROUGE's tokenizer keeps `a-z0-9`, so two equal texts in Chinese score 0; Flesch's formulas are of English, and textstat
takes a Chinese sentence for one word of one syllable, reading ease 121. Such texts are not scored, and counted.

A text is Latin if at least half of its words are. A word is a run of Latin letters, with accents or without; in other
scripts a run of letters too, and in those that are written without blanks two characters (Chinese, Japanese) or six
(Thai, Lao, Khmer, Burmese, Tibetan). Digits, signs and emoji are no words.
"""

from __future__ import annotations

import re

_LATIN = "A-Za-z\xaa\xba\xc0-\xd6\xd8-\xf6\xf8-\u02af\u1e00-\u1eff\u2c60-\u2c7f\ua722-\ua7ff\uab30-\uab64\ufb00-\ufb06"
_ACCENTS = "\u0300-\u036f'’"
_DENSE = "\u3040-\u30ff\u31f0-\u31ff\u3400-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
_LONG = "\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff"
_WORDS = re.compile(
    f"(?P<latin>[{_LATIN}][{_LATIN}{_ACCENTS}]*)|(?P<dense>[{_DENSE}]+)|(?P<long>[{_LONG}]+)"
    rf"|(?P<other>[^\W\d_][^\s\d!-/:-@\[-`{{-~{_LATIN}{_DENSE}{_LONG}]*)"
)
_CHARACTERS = {"dense": 2, "long": 6}  # of a word


def is_latin(text: str) -> bool | None:
    """Whether at least half of a text's words are in Latin letters; None of a text without words."""
    if text.isascii():
        return True if any(map(str.isalpha, text)) else None
    latin = others = 0
    for match in _WORDS.finditer(text):
        if match.lastgroup == "latin":
            latin += 1
        else:
            others += -(-len(match[0]) // _CHARACTERS.get(match.lastgroup or "", len(match[0])))
    return latin >= others if latin or others else None


def rouge_applies(prediction: str, reference: str) -> bool:
    """Whether ROUGE of these is a score: neither is mostly in another script. Without any word, it is (0)."""
    return is_latin(prediction) is not False and is_latin(reference) is not False


def flesch_applies(text: str) -> bool:
    """Whether Flesch's values of a text are scores: it is mostly in Latin letters, or empty (0 by rule)."""
    return is_latin(text) is True or not text.strip()
