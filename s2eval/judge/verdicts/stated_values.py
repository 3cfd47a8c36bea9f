"""The rating or choice that a sentence states for the whole, in words rather than in the brackets that are asked for.

`Final rating: 2`, `I would give it a 2`, `2/10`, `Winner: B`; not `the answer asks for a 10` or `it lists 2 points`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from s2eval.judge.verdicts.phrases import DENIED, HYPOTHETICAL, OTHER_CHOICES, OTHER_RATINGS

_WORDS = (  # of 1 to 10
    "one|eins|uno|un|um|一|один",
    "two|zwei|deux|dos|due|dois|twee|二|两|兩|два|اثنان",
    "three|drei|trois|tres|tre|três|drie|三|три",
    "four|vier|quatre|cuatro|quattro|quatro|四|четыре",
    "five|fünf|cinq|cinco|cinque|vijf|五|пять",
    "six|sechs|seis|sei|zes|六|шесть",
    "seven|sieben|sept|siete|sette|sete|zeven|七|семь",
    "eight|acht|huit|ocho|otto|oito|八|восемь",
    "nine|neun|neuf|nueve|nove|negen|九|девять",
    "ten|zehn|dix|diez|dieci|dez|tien|十|десять",
)
_VALUES = {word: float(number) for number, words in enumerate(_WORDS, 1) for word in words.split("|")}
_OUT_OF = (
    r"(?:/ ?(?:10|ten)|(?:out of|von|sur|de|su|van|из|av) (?:10|ten)|points?|stars?|punkte?n?|puntos?|pontos?|分|点|"
    r"點|점)"
)
NUMBER = (
    rf"(?P<value>(?<![a-zA-Z0-9_.])(?<!out of )[-−]?\d{{1,3}}(?:[.,]\d{{1,2}})?(?!\d|[.,]\d|%)|"
    rf"(?<![a-zà-ÿа-я])(?:{'|'.join(_VALUES)})"
    rf"(?![a-zà-ÿа-я-])) ?(?:/ ?(?P<scale>5|100)(?!\d)|{_OUT_OF})?(?! ?/ ?\d)"
)
_LETTER = (
    r"(?:the )?(?:assistant |answer |response |model |helper )?(?:(?-i:(?P<value>[ABC]))\b|(?P<tie>tie|draw|"
    r"equal\w*)\b)"
)
_AFTER = (
    r"(?=\W{0,3}$|[.,;:!?)|。，；！、](?!\d)|\s[-–—(]|\s(?:instead|now|rather|because|since|as|given|due|not|only|"
    r"then|overall"
    r"|after all|at best|in the end|and (?:not|no more)|for (?:it|this|that|the (?:whole|answer|response|reply))|"
    r"であ|です)|"
    r"です|とし|입니다|점)"
)
_STATES = (
    r"(?=\s*[^\s\d])"
    r"(?:[ :=|>→–—(\"'-]|\b(?:is|was|be|been|becomes?|now|therefore|thus|hence|so|then|really|actually|in (?:fact|"
    r"truth)|"
    r"should|must|ought|would|will|have|had|read|rather|only|just|remains?|stands?|to|of|at|as|an?|about|more like|"
    r"closer|ist"
    r"|sei|lautet|beträgt|sollte|müsste|est|serait|devrait être|es|sería|debería|ser|è|sarebbe|dovrebbe essere|é|"
    r"seria|deve|"
    r"sein|zijn|moet|jest|är|er)\b|应该是|应该|應該|应|應|为|為|是|改|成|は|が|を|に|은|는|이|로){1,10}"
)
_BEFORE_LABEL = (
    r"(?:^|[.,;:!?()\"'—–|] ?|\b(?:so|and|but|thus|therefore|hence|then|that|as|with|to|is|be|an?|the|my|our|this|"
    r"its|your|"
    r"final|overall|total|by|now|deserves?|gets?|give|given|giving|record|use|take|count|reflection|reading|thought|"
    r"fact|"
    r"in|please)\s+)(?:the |a )?"
)
_ADJECTIVES = (
    r"(?:(?:my|our|the|an?|this|that|its|answer|final|overall|total|true|real|actual|new|proper|honest|"
    r"correct(?:ed)?|revised|"
    r"updated|adjusted|amended|definitive|ultimate|fair|fairer|second|right|better|appropriate|lower|higher|"
    r"intended) ){0,4}"
)
_NOUNS = r"(?:ratings?|scores?|grades?|verdicts?|judge?ments?|evaluation|assessment|conclusion|marks?|decision)"
CHOICES = (
    rf"(?:{_NOUNS}|winner|choice|preference|final answer|(?:better|best) (?:answer|response|assistant|one)|vote|"
    rf"pick)"
)
_ALONE = r"(?:points|overall|final(?:ly)?|total|in total|altogether|result|outcome|bottom line|in short|in sum|summary)"
_INSTEAD = (
    r"(?:correction|corrected|corrigendum|erratum|edit|update[d]?|revision|revised|amend(?:ment|ed)|adjusted|fix|"
    r"new|instead|"
    r"actually|rather|no|nope|oops|wait|hmm+|sorry|korrektur|berichtigung|korrigiert|rectification|corrección|"
    r"correccion|"
    r"correzione|correção|correctie|korekta|düzeltme|rättelse|rettelse|oprava|исправление|поправка|виправлення|更正|"
    r"纠正|糾正|"
    r"修正|改为|改成|改為|訂正|정정|수정|تصحيح|सुधार|đính chính|koreksi|ralat|eigentlich|vielmehr|stattdessen|"
    r"plutôt|en fait|"
    r"mejor dicho|en realidad|anzi|na verdade|in realtà|finalement|nein|non|нет|на самом деле|不|实际上|事实上|実際|"
    r"やはり|"
    r"사실은?|in hindsight|to correct myself|correcting|revising|amending|nvm|giving it)"
)
_CHANGE = (
    r"(?:lower|reduc|drop|rais|increas|chang|revis|amend|correct|adjust|downgrad|upgrad|updat|bump|cut|mov|set|"
    r"bring|knock|"
    r"mark|switch|shift|put)"
)
_VERBS = (
    r"(?:rat(?:e|ing)|scor(?:e|ing)|grad(?:e|ing)|giv(?:e|ing)|say|assign|award|settle|go(?:ing)? with|mean|meant|"
    r"intend(?:ed)?|"
    r"stand by|end up|land|put|see|consider|call|judge|choose|prefer|pick|select|vote|favou?r|declare|decide|"
    r"conclude|side)"
)
_LAST_WORD = (
    r"(?:it|this|that|answer|response|reply|an?|to|of|at|with|on|for|only|as|be|is|was|just|overall|instead|now|say)"
)


def _patterns(value: str, nouns: str, others: str) -> tuple[re.Pattern[str], ...]:
    """How a sentence gives a value for the whole; those whose clause must not be somebody else's words come first."""
    return tuple(
        re.compile(pattern, re.I)
        for pattern in (
            rf"{_BEFORE_LABEL}{_ADJECTIVES}{nouns}(?: \([^()]{{1,20}}\)| (?:for|of) (?:the |this )?(?:assistant|answer|"
            rf"response|whole)(?:['’]s answer)?| (?:of|for) (?:it|this|that)| that I (?:give|gave|"
            rf"would give))?(?:,? (?:after|on|upon|revised|corrected|updated|adjusted|"
            rf"now)[\w ]{{0,20}})?{_STATES}{value}"
            rf"{_AFTER}",
            rf"^\W*(?:{nouns}|final answer):? {value}\W*$",
            rf"^(?:overall|all in all|in total|in the end|in short)\b.{{0,20}}\b(?:this|it|the (?:answer|"
            rf"response))(?: is|['’]s| gets"
            rf"| deserves)(?: an?)? {value}{_AFTER}",
            rf"^(?:please )?(?:replace .{{0,20}}\b(?:with|by)|use|take|record|enter|note|count (?:this|it) as|"
            rf"treat (?:this|it) as)"
            rf"(?: an?)? {value}{_AFTER}",
            rf"^(?:应该是|应为|應為|應該是|应当是){value}{_AFTER}",
            rf"\b(?:final|overall|new|my|revised|corrected|updated) (?:rating|score|verdict|grade) {value}{_AFTER}",
            rf"(?:{others})(?: ?\([^()]{{1,20}}\))?{_STATES}{value}{_AFTER}",
            rf"^(?:\W|\b(?:so|and|but|thus|therefore|hence|then|my)\b){{0,6}}{_ALONE}{_STATES}{value}{_AFTER}",
            rf"(?:^|[:,] ?|\b(?:then|so) ){_INSTEAD}(?:[ :,，、=–—-]|\b(?:it|is|it's|make|that|should|be|an?|sie|"
            rf"ist|es|un|una|uno|è|ein|eine|"
            rf"auf|to|à|a|for|score|"
            rf"rating)\b|是|为|為|は|に){{0,8}}{value}{_AFTER}",
            rf"\b(?:I|we|I['’]d|I['’]ll)\b.{{0,100}}?\b{_VERBS}\b(?:.{{0,60}}\b{_LAST_WORD})? {value}{_AFTER}",
            rf"\b(?:deserves?|merits?|warrants?|(?:should|must) (?:get|have|receive)|(?:is|was) (?:worth|rated|"
            rf"scored|given|"
            rf"really|only|at (?:best|most)))(?: (?:an?|only|just|no more than|at most|about)){{0,3}} {value}{_AFTER}",
            rf"^(?:an? )?{value} (?:is|was|would be|seems) (?:(?:my|the) (?:\w+ )?(?:rating|score|grade|verdict|"
            rf"choice)|(?:more |most |a )?"
            rf"(?:appropriate|fair|fairer|adequate|justified|deserved)\b|what I)",
            rf"\b(?:it|this|that|which|(?:the|this) (?:answer|response|reply|assistant))(?:['’]s| is| was| gets|"
            rf" earns| scores| receives) (?:now |really |actually |only |just )?"
            rf"an? {value}{_AFTER}",
            rf"\b{_CHANGE}\w{{0,4}} (?:my|our|the) (?:rating|score|grade|verdict|mark)\b.{{0,30}}?\b(?:to|"
            rf"at)(?: an?)? {value}{_AFTER}",
            rf"(?:^|\b(?:I|we|me|rating|score|grade|verdict|"
            rf"mark)\b.{{0,40}}?\b){_CHANGE}\w{{0,4}}\b.{{0,60}}?\b(?:to|at)(?: "
            rf"an?)? {value}{_AFTER}",
            rf"\b(?:make|call|consider|let['’]s say|say|count (?:it|that|this))(?: (?:it|that|"
            rf"this))?(?: an?)? {value}{_AFTER}",
            rf"^(?:(?:no|wait|sorry|I am sorry|but|so)\W{{1,3}})?(?:it |this |that )?(?:should|must|ought to) (?:be|"
            rf"have been|read)(?: an?)? {value}{_AFTER}",
        )
    )


_MORE_LABELS = r"ergebnis|endnote|gesamtnote|итог\w*|总评|總評|note (?:corrigée|révisée|définitive)"
_RATING_PATTERNS = _patterns(NUMBER, rf"(?:{_NOUNS}|vote)", rf"{OTHER_RATINGS}|{_MORE_LABELS}")
_CHOICE_PATTERNS = _patterns(_LETTER, CHOICES, rf"{OTHER_CHOICES}|{_MORE_LABELS}")
_MEANT = re.compile(
    rf"\b(?:I|rating|score)\b.{{0,40}}\b(?:mean|meant|intended|should have|wanted to)\b.{{0,40}}?\b(?:is|be|was|"
    rf"{_LAST_WORD}|meant|mean|"
    rf"written|write|given?|said) (?:an? )?{NUMBER}{_AFTER}",
    re.I,
)
_BARE_RATING = re.compile(
    rf"^\W{{0,4}}(?:(?:so|thus|then|hence|therefore|just|only|an?)[:,]? ){{0,2}}{NUMBER}(?=\W{{0,4}}(?:$|"
    rf",(?! ?[-−\d]))|\W{{1,3}}(?:instead|not|rather|now|"
    r"then|at best|overall)\b)",
    re.I,
)
_OPENER = (
    r"^\W{0,4}(?:(?:so|thus|then|hence|therefore|overall|actually|no|but|and|in the end|in fact|"
    r"all in all)\W{1,3}){0,2}"
)
_BEST = (
    r"(?:better|best|winner|superior|stronger|preferable|besser|meilleure?|mejor|migliore|melhor|beter|bättre|"
    r"lepsz[ay]|лучше)"
)
_BARE_CHOICE = re.compile(
    rf"{_OPENER}{_LETTER}(?:['’]s (?:answer|response))?(?: wins| deserves(?: to win| the win)| > [ABC]\b|"
    rf"(?: (?:is|was|ist|est|es|è|é|jest|är))?(?: \w{{1,10}}){{0,2}}? (?:the )?{_BEST}(?: one| answer| response|"
    rf" assistant)?"
    r"(?: than (?:assistant |answer |response )?[ABC](?:['’]s)?)?)?(?: (?:overall|of the two|after all|here|instead|"
    r"now))?"
    r"(?=\W{0,4}$|, not|,? (?:instead|rather)|,? and not)|"
    r"^(?:助手|回答|答案)?\s?(?-i:(?P<cjk>[AB]))(?:的(?:回答|答案))?(?:更好|更优|胜出|获胜)|"
    r"^(?:アシスタント|回答)?(?-i:(?P<japanese>[AB]))の(?:回答の)?(?:ほう|方)が(?:良|優れ)",
    re.I,
)
_BARE_TIE = re.compile(
    rf"{_OPENER}(?:it(?: is|['’]s)|this is|both are|they are|call it)(?: an?)? (?P<tie>tie|draw|equal(?:ly good)?)\W*$",
    re.I,
)


def stated_values(sentence: str, rating: bool) -> Iterator[Any]:
    """The values that a sentence gives for the whole."""
    if HYPOTHETICAL.search(sentence) or re.search(
        r"^with (?:more|better|a|an|some|sources?|citations?|examples?)\b", sentence, re.I
    ):
        return
    for pattern in _RATING_PATTERNS if rating else _CHOICE_PATTERNS:
        for match in pattern.finditer(sentence):
            if not _anothers(sentence[: match.start("value" if match["value"] else "tie")]):
                yield from _on_the_scale(_value(match, rating))
    if rating and (meant := _MEANT.search(sentence)):
        yield from _on_the_scale(_value(meant, rating))


def bare_values(sentence: str, rating: bool) -> Iterator[Any]:
    """The value that a sentence consists of."""
    for pattern in (_BARE_RATING,) if rating else (_BARE_CHOICE, _BARE_TIE):
        if match := pattern.search(sentence):
            yield from _on_the_scale(_value(match, rating))


def _on_the_scale(value: Any) -> Iterator[Any]:
    """The value, unless it is a number that no rating can be: a year, a count."""
    if not isinstance(value, float) or 0 <= value <= 10:
        yield value


def _anothers(before: str) -> bool:
    """Whether the words before a value make it somebody else's, or none: `the answer asks for 10`."""
    plain = re.sub(r"\b(?:no (?:more|higher|better) than|at (?:most|best))\b", "", before)
    clause = re.split(r"[,;—]|\bbut\b", plain.rstrip(" ,;—-–"))[-1]
    return DENIED.search(clause) is not None


def _value(match: re.Match[str], rating: bool) -> Any:
    if not rating:
        groups = match.groupdict()
        letter = groups.get("value") or groups.get("cjk") or groups.get("japanese")
        return "tie" if groups.get("tie") or letter == "C" else letter
    text = match["value"].lower()
    number = _VALUES[text] if text in _VALUES else float(text.replace(",", ".").replace("−", "-"))
    return number * 10 / float(match["scale"] or 10)
