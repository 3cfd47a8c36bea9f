"""The templates of wikitext: which stand for text and for which, which never do; of the others nothing is known."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import TYPE_CHECKING

from s2train.data.wiki import formulas, values
from s2train.data.wiki.values import Arguments

if TYPE_CHECKING:
    from mwparserfromhell.nodes import Template
    from mwparserfromhell.wikicode import Wikicode


def names_in(text: str) -> frozenset[str]:
    return frozenset(text.split(", "))


def name_of(name: str) -> str:
    """A template's name in one form: lower case, single blanks, no `Template:` before it."""
    return " ".join(name.replace("_", " ").split()).lower().removeprefix("template:").lstrip()


# --- what stands for text ---

_POSITIONS: Mapping[str, int] = {  # which positional argument is the text; -1: the last
    **dict.fromkeys(("lang", "langx", "color", "colour", "fgcolor", "sort", "hs", "wikt-lang", "wt", "bg"), 2),
    **dict.fromkeys(
        names_in(
            "transl, transliteration, tlit, w, wp, wikipedia link, link, plainlink, url, colored link, hover title, "
            "h:title, font color, background color, font, resize"
        ),
        -1,
    ),
    **dict.fromkeys(
        names_in(
            "nihongo, nihongo2, nihongo foot, nihongo krt, nihongo core, nowrap, nobr, nobreak, nowraplinks, j, "
            "avoid wrap, inline block, nobold, noitalic, no italic, normal, small, smaller, smalldiv, big, bigger, "
            "larger, abbr, abbrlink, tooltip, center, em, strong, bold, italic, i, b, u, underline, highlight, var, "
            "mvar, math, bigmath, code, mono, kbd, samp, keypress, flag, flagu, flagcountry, flagathlete, script, "
            "unicode, polytonic, serif, sans-serif, smallcaps, smallcaps all, sc, sc2, caps, visible anchor, vanchor, "
            "not a typo, notatypo, typo, proper name, as written, citation needed span, cn-span, clarify span, number, "
            "num, nts, spellnum, number in words, num2words, tq, xt, angle bracket"
        ),
        1,
    ),
}
_CONSTANTS: Mapping[str, str] = {
    "!": "|", "=": "=", "'": "'", "`": "'", "'s": "'s", "-'": "'", "'-": "'", "' \"": "' \"", "\" '": "\" '",
    "'\"": "'\"", "\"'": "\"'",
    "nbsp": " ", "space": " ", "spaces": " ", "thinsp": " ", "thin space": " ", "hair space": " ", "hsp": " ",
    "nnbsp": " ", "pad": " ", "gap": " ", "br": " ", "break": " ", "crlf": " ", "mdash": "—", "ndash": "–",
    "emdash": "—", "endash": "–", "em dash": "—", "en dash": "–", "snd": " – ", "snds": " – ", "spnd": " – ",
    "sndash": " – ", "spndash": " – ", "spaced ndash": " – ", "spaced en dash": " – ", "spaced mdash": " — ",
    "dash": " – ", "·": " · ", "dot": " · ", "middot": " · ", "•": " • ", "bull": " • ", "bullet": " • ", "*": "*",
    "asterisk": "*", "pm": "±", "plusmn": "±", "+-": "±", "times": "×", "minus": "−", "pi": "π", "π": "π", "deg": "°",
    "degree": "°", "degrees": "°", "half": "½", "1/2": "½", "1/4": "¼", "3/4": "¾", "okina": "ʻ", "sharp": "♯",
    "flat": "♭", "natural": "♮", "...": "…", "ellipsis": "…", "tm": "™", "ad": "AD", "bc": "BC", "bce": "BCE",
    "ce": "CE",
    **dict.fromkeys(
        names_in(
            "anchor, clear, -, clr, clear left, clear right, shy, wbr, zwsp, zwj, zwnj, wj, lrm, rlm, flagicon, "
            "flagdeco, flag icon, flagicon image, nowrap begin, nowrap end, void, null, dummy, ntsh, hidden sort key"
        ),
        "",
    ),
}  # fmt: skip
_MONEY: Mapping[str, str] = {
    "us$": "US$", "usd": "US$", "a$": "A$", "aud": "A$", "au$": "A$", "c$": "C$", "cad": "C$", "ca$": "C$",
    "nz$": "NZ$", "nzd": "NZ$", "hk$": "HK$", "hkd": "HK$", "s$": "S$", "sgd": "S$", "nt$": "NT$", "twd": "NT$",
    "ntd": "NT$", "r$": "R$", "brl": "R$", "$": "$", "£": "£", "gbp": "£", "pound sterling": "£", "€": "€",
    "euro": "€", "eur": "€", "¥": "¥", "jpy": "¥", "yen": "¥", "cny": "CN¥", "rmb": "CN¥", "cn¥": "CN¥", "₹": "₹",
    "inr": "₹", "indian rupee": "₹", "rs": "₹", "₩": "₩", "krw": "₩", "₱": "₱", "php": "₱", "₽": "₽", "rub": "₽",
    "₺": "₺", "try": "₺", "₪": "₪", "ils": "₪", "₴": "₴", "uah": "₴", "฿": "฿", "thb": "฿", "₦": "₦", "ngn": "₦",
    "chf": "CHF ", "zar": "R",
}  # fmt: skip
_DATES = names_in(
    "birth date, birth date and age, birth-date, birth-date and age, bda, b-da, dob, birth year and age, "
    "birth year, death date, death date and age, death-date, death-date and age, dda, d-da, death year and age, "
    "death year, start date, start date and age, start-date, end date, end date and age, end-date, dts, date, "
    "date table sorting, film date, launch date, release date, format date"
)
_SHIPS = names_in(  # of WikiProject Ships
    "ARA, ARC, ARM, BAE, BAP, BNS, BRP, CCGS, CSS, FGS, GTS, HDMS, HMAS, HMBS, HMCS, HMHS, HMIS, HMNZS, HMS, HMSAS, "
    "HMT, HMY, HNLMS, HNoMS, HSwMS, HTMS, INS, JDS, JS, KD, KRI, LÉ, MF, MS, MT, MV, MY, NMS, NOAAS, NRP, ORP, PNS, "
    "PS, RFA, RMS, RNLB, ROCS, ROKS, RPS, RRS, RSS, RV, SAS, SLNS, SMS, SS, TCG, TS, TSS, USAT, USCGC, USNS, USRC, USS"
)
_PAGE_NAMES = frozenset(("pagename", "fullpagename", "basepagename", "subpagename", "articlepagename"))
_CONVERSION = re.compile(
    r"(?:km|m|cm|mm|mi|ft|in|yd|kg|lb|oz|g|acres?|ha|l|km2|m2|sqmi|sqft|mph|km/h) to [a-z0-9/]+(?: [a-z0-9/]+)?"
)
_FUNCTIONS: Mapping[str, Callable[[str], str]] = {  # of MediaWiki: the argument follows a colon
    "formatnum": values.grouped,
    "lc": str.lower,
    "uc": str.upper,
    "lcfirst": lambda text: text[:1].lower() + text[1:],
    "ucfirst": lambda text: text[:1].upper() + text[1:],
}


Renderer = Callable[[Arguments], str | None]


def _form(form: str, arguments: Arguments) -> str | None:
    """The first argument within other text."""
    return form.format(arguments.positional[0]) if arguments.positional else None


def _of_first(function: Callable[[str], str | None], arguments: Arguments) -> str | None:
    return function("".join(arguments.positional[:1])) or None


def _joined(separator: str, number: int | None, arguments: Arguments) -> str | None:
    """The first arguments, or all, as one text."""
    return separator.join(filter(None, arguments.positional[:number])) or None


_RENDERERS: Mapping[str, Renderer] = {
    **dict.fromkeys(("convert", "cvt", "conv", "convert2"), values.quantity),
    "val": values.value,
    "height": values.height,
    **dict.fromkeys(("frac", "fraction", "sfrac", "fracn", "tfrac"), values.fraction),
    "gaps": values.gaps,
    **dict.fromkeys(("e", "x10^", "×10^"), values.power),
    **dict.fromkeys(("ordinal", "ord", "nth"), values.ordinal),
    "duration": values.duration,
    **{name: partial(values.money, sign) for name, sign in _MONEY.items()},
    **dict.fromkeys(_DATES, values.date),
    **dict.fromkeys(("as of", "asof"), values.as_of),
    "age": values.age,
    **dict.fromkeys(("circa", "c.", "ca.", "ca", "c"), values.circa),
    **dict.fromkeys(("floruit", "fl.", "fl"), partial(values.span, "fl.")),
    **dict.fromkeys(("reign", "r."), partial(values.span, "r.")),
    **dict.fromkeys(("born", "b."), partial(values.span, "born")),
    **dict.fromkeys(("died", "d."), partial(values.span, "died")),
    "mya": values.million_years,
    **dict.fromkeys(("coord", "coords"), values.coordinates),
    "dec": partial(values.angle, values.ANGLE_MARKS),
    "ra": partial(values.angle, "hms"),
    **{prefix.lower(): partial(values.ship, prefix) for prefix in sorted(_SHIPS)},
    "ship": partial(values.ship, None),
    **dict.fromkeys(("sclass", "sclass-", "sclass2", "sclass2-"), values.ship_class),
    "chem": lambda arguments: formulas.chem(arguments.positional) or None,
    **dict.fromkeys(("chem2", "chemf", "chemical formula"), partial(_of_first, formulas.chem2)),
    **dict.fromkeys(("sup", "superscript"), partial(_of_first, formulas.raised)),
    **dict.fromkeys(("sub", "subscript"), partial(_of_first, formulas.lowered)),
    "su": values.script,
    **dict.fromkeys(("sqrt", "radic"), partial(_form, "√{}")),
    **dict.fromkeys(("abs", "mabs"), partial(_form, "|{}|")),
    **dict.fromkeys(("nuclide", "simplenuclide", "isotope"), values.isotope),
    **dict.fromkeys(
        ("ill", "ill-wd", "illm", "ill2", "interlanguage link", "interlanguage link multi", "link-interwiki"),
        values.link_text,
    ),
    **dict.fromkeys(("sic", "linktext"), partial(_joined, "", None)),
    **dict.fromkeys(("sortname", "sort name"), partial(_joined, " ", 2)),
    **dict.fromkeys(('"', "qq", "quotation marks", "inline quote"), partial(_form, "“{}”")),
    **dict.fromkeys(("bibleverse", "bibleref", "bibleref2", "bible verse"), values.verse),
    **dict.fromkeys(("lit", "literal translation"), partial(_form, "lit. '{}'")),
    "gloss": partial(_form, "'{}'"),
}

RENDERED = _RENDERERS.keys() | _POSITIONS.keys() | _CONSTANTS.keys() | _PAGE_NAMES
"""Names of what stands for text; `lang-…`, conversions and functions besides (`is_rendered`)."""

# --- what never stands for text ---

_NOT_TEXT = re.compile(
    r"cite\b|citation|cn$|dn$|facts?$|sfn|harv|efn|refn|refs?$|ref |reference|r$|rp$|nb$|fn$|note$|notetag|notelist"
    r"|footnote|dead ?link|broken ?link|webarchive|wayback|isbn|issn|oclc|doi|pmid|pmc$|jstor|arxiv|bibcode|asin|s2cid"
    r"|clarif|when$|whom?$|which$|where$|why$|how$|what$|how often|by whom|according to|vague|dubious|disputed"
    r"|failed verif|verif|unverified|better source|unreliable|self-pub|third-party|primary source|page needed|full$"
    r"|full |specify|weasel|peacock|original research|or$|pov|npov|synthesis|source|unsourced|unref|more citations"
    r"|fix$|fix-|update|out of date|needs? |expand|copy ?edit|cleanup|complex|simplify|stub|short ?desc|use \w+ dates"
    r"|use \w+ english|italic title|lowercase|displaytitle|defaultsort|#tag:|pp-|protected|good article|featured|vgood"
    r"|toc|portal|commons|sister|wikiquote|wikisource|wiktionary|authority control|infobox|taxobox|main$|see also"
    r"|about$|for$|other ?uses|redirect|distinguish|hatnote|image|multiple image|css image|location map|wide image"
    r"|coord missing"
)
_NOT_TEXT_ENDS = re.compile(r".*(?:box|needed|\?|inline|-stub| stub|disambiguation|infobox|footer|sidebar|navbox)$")
_SOUNDS = re.compile(r"ipa\b|ipac?[-a-z]|pron|respell|audio|listen|sound|en-us-|zh\b|zh-|zhc|chinese|korean|ko-|hangul")


@lru_cache(4096)
def never_text(name: str) -> bool:
    """Whether a template of that name is a citation, a remark on the text, or something beside it."""
    return not is_rendered(name) and bool(_NOT_TEXT.match(name) or _NOT_TEXT_ENDS.match(name))


def is_sound(name: str) -> bool:
    """Whether a template of that name is for a pronunciation, or a spelling in other scripts, which are left out."""
    return bool(_SOUNDS.match(name))


@lru_cache(4096)
def is_rendered(name: str) -> bool:
    """Whether a template of that name (`name_of`) stands for text that `rendered` gives."""
    head, colon, _ = name.partition(":")
    return (
        name in RENDERED
        or name.startswith("lang-")
        or bool(colon and head in _FUNCTIONS)
        or bool(_CONVERSION.fullmatch(name))
    )


def rendered(node: Template, title: str, text: Callable[[Wikicode], str]) -> str | None:
    """The text that a template stands for; None where it is not known. `text` renders an argument.

    `{{lang|fr|mot}}` gives `mot` (no language's name), `{{convert|5|km|mi}}` the value as it was written (`5 km`),
    dates no age, `{{PAGENAME}}` the title.
    """
    name = name_of(str(node.name))
    if not is_rendered(name):
        return None
    if name in _PAGE_NAMES:
        return title
    if name in _CONSTANTS:
        return _CONSTANTS[name]
    head, colon, argument = text(node.name).partition(":")
    if colon and (function := _FUNCTIONS.get(head.strip().lower())):
        return function(argument.strip()) or None
    named = {str(param.name).strip(): text(param.value).strip() for param in node.params}
    positional = [named[str(number)] for number in range(1, len(named) + 1) if str(number) in named]
    arguments = Arguments(positional, named)
    if name in _RENDERERS:
        return _RENDERERS[name](arguments)
    if _CONVERSION.fullmatch(name):
        return values.conversion(name, arguments)
    position = 1 if name.startswith("lang-") else _POSITIONS[name]
    if len(positional) < max(position, 1):
        return None
    return positional[position - 1 if position > 0 else -1]
