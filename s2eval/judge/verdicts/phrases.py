"""Words by which a judge's verdict is known from other people's: labels, announcements, denials. Tables only.

Each pattern takes time that is bounded by the length of its input; `anchors` gives it little.
"""

from __future__ import annotations

import re

# A label stands right before the mark: "Rating: [[5]]", "**Final verdict**: [[A]]", "My score is [[7]]".
_RATING = r"rating|score|grade|verdict|judge?ment|evaluation|assessment|conclusion"
_CHOICE = rf"{_RATING}|decision|result|final answer|winner|choice|preference"
_ADJECTIVES = (
    r"(?:(?:my|our|the|an?|judge's|final|overall|total|general|combined|fair|appropriate|true|real|actual|new|"
    r"proper|honest|"
    r"corrected|revised|updated|adjusted|amended|definitive|ultimate)[ *_]{1,3}){0,4}"
)
_ASSISTANT = r"assistant(?: [AB])?"
_OF_WHAT = (
    rf"(?: (?:of|for) (?:the |this )?(?:{_ASSISTANT}(?:['’]s)?|(?:{_ASSISTANT}['’]s )?(?:\w{{1,10}} )?"
    r"(?:answer|response|turn)))?(?: ?\([^()]{1,20}\))?"
)
_OTHER_LANGUAGES = (
    r"(?:\w{1,20} )?(?:Gesamt)?(?:bewertung|wertung|urteil|punktzahl|beoordeling|oordeel|calificación|puntuación|"
    r"veredicto|avaliação|classificação|valutazione|punteggio|voto|verdetto|betyg|ocena|puan|оценка|оцінка|рейтинг|"
    r"вердикт|"
    r"hodnocení|hodnotenie|arvosana|arvosteluni|értékelés|βαθμολογία|αξιολόγηση|karakter|vurdering|bedømmelse|poäng|"
    r"punktacja|"
    r"điểm|nilai|skor|penilaian|रेटिंग|अंक|रेटिंग्स|امتیاز|نمره|ציון|דירוג|คะแนน)"
    r"(?: \w{1,12})?|(?:ma )?note(?: finale| globale)?|nota(?: final)?|évaluation(?: finale)?|\w{0,6}(?:评分|评级|"
    r"得分|分数|总分|评价|評分|分數|總分|結論|结论|評価|評点|点数|判定|判决|裁定)|(?:최종 )?(?:평가|점수|평점|판정)|"
    r"(?:التقييم|الدرجة)(?: النهائي)?"
)
_OTHER_WINNERS = (
    r"(?:\w{1,20} )?(?:gewinner|sieger|entscheidung|wahl|gagnant|vainqueur|décision|choix|ganador|decisión|elección|"
    r"vencedor|"
    r"decisão|escolha|vincitore|decisione|scelta|winnaar|keuze|vinnare|vinder|zwycięzca|wybór|vítěz|kazanan|karar|"
    r"победитель|"
    r"решение|выбор|переможець|विजेता|người thắng|pemenang|νικητής|הזוכה)(?: \w{1,12})?|"
    r"\w{0,6}(?:勝者|胜者|更好的(?:回答|答案)|より良い回答|获胜者|獲勝者|优胜者|優勝者|赢家|贏家|胜出者|决定|決定|"
    r"选择|選擇|選択)|(?:최종 )?(?:승자|"
    r"우승자|결정|선택|결론)|"
    r"(?:الفائز|القرار|الاختيار)(?: النهائي)?"
)
_SEPARATOR = r"(?:is|ist|est|es|è|é|jest|är|は|为|為|是|[:=–—-]|[-=]>|→)"


def _label(nouns: str, others: str) -> re.Pattern[str]:
    english = rf"{_ADJECTIVES}(?:{nouns})(?: (?:rating|score))?{_OF_WHAT}|overall|final|total"
    return re.compile(rf"(?<!\w)(?:{english}|{others}) ?[*_]{{0,3}} ?{_SEPARATOR}?[ *_]{{0,4}}$", re.I)


OTHER_RATINGS, OTHER_CHOICES = _OTHER_LANGUAGES, rf"{_OTHER_LANGUAGES}|{_OTHER_WINNERS}"
RATING_LABEL, CHOICE_LABEL = _label(_RATING, OTHER_RATINGS), _label(_CHOICE, OTHER_CHOICES)
BARE_LABEL = re.compile(r"\W*(?:rating|score|grade|verdict|overall|final)\b ?[*_]{0,3}(?::|$)", re.I)
LABEL_LENGTH = 120  # characters before the mark in which a label may stand

# An announcement is the clause before the mark: "I would give this answer a [[7]]", "Assistant A is better: [[A]]".
_SO = r"^(?:and )?(?:so|therefore|thus|hence):?$"
RATING_ANNOUNCED = re.compile(
    r"\b(?:I|we)\b[^.]{0,100}\b(?:rat(?:e|ing)|score|grade|giv(?:e|ing)|say|assign|award|settle on)\b|"
    rf"\b(?:my|our|final|overall|the|this)\b[^.]{{0,60}}\b(?:{_RATING})\b[^.]{{0,60}}(?:\bis|\bbe|\bto|\bof|:)$|"
    r"\b(?:answer|response|reply|assistant|conversation|it|this|which)\b[^.]{0,60}\b(?:gets|receives|deserves|earns|"
    rf"merits|warrants|rates|scores|(?:is|be) (?:rated|scored|given))\b|{_SO}",
    re.I,
)
CHOICE_ANNOUNCED = re.compile(
    r"\b(?:I|we)\b[^.]{0,100}\b(?:choose|prefer|pick|select|vote|go(?:ing)? with|declare|favou?r|decide|conclude|judge|"
    rf"rate|say)\b|\b(?:my|our|final|overall|the|this)\b[^.]{{0,60}}\b(?:{_CHOICE}|better (?:one|answer|response|"
    r"assistant))\b[^.]{0,60}(?:\bis|\bbe|\bto|:)$|"
    r"\b(?:assistant|answer|response) [AB]\b[^.]{0,80}\b(?:better|best|wins|stronger|superior|preferable|winner)\b|"
    rf"\b(?:a tie|a draw|equally|equal)\b|{_SO}",
    re.I,
)

# A denial makes what follows somebody else's, or no verdict: "the answer asks for [[10]]", "I would have given [[9]]".
DENIED = re.compile(
    r"\b(?:says|said|saying|states?|stat(?:ed|ing)|claim(?:s|ed|ing)?|(?<!\bas )ask(?:s|ed|ing)?|beg(?:s|ged|ging)?|"
    r"demand(?:s|ed|ing)?|(?<!\bas )request(?:s|ed|ing)?|writes?|wrote|written|contain(?:s|ed|ing)?|insert(?:s|ed)?|"
    r"includ(?:es?|ed|ing)|(?<!\bas )instruct(?:s|ed|ing)|tells?|told|quot(?:es?|ed|ing)|ends|ended|ending|"
    r"insist(?:s|ed)?|plead(?:s|ed)?|order(?:s|ed)|suggest(?:s|ed)?|want(?:s|ed)?|would like|itself|self|inject\w*|"
    r"hop(?:es?|ed|ing)|expect(?:s|ed)?|tr(?:y|ies|ied|ying) to|"
    r"example|prompt|not|never|cannot|almost|nearly|if|unless|whether|(?:would|could|might) have|"
    r"refuse[sd]?|declined?|at (?:most|least)|more than|less than|between|except)\b|n['’]t\b",
    re.I,
)
# The same of a whole sentence: "If it had named the city, I would rate it [[9]]".
HYPOTHETICAL = re.compile(
    r"^\W*(?:(?:but|and|so) )?(?:if|unless|without|had|were)\b.{0,300}(?:\bwould\b|['’]d\b)", re.I
)
SPEAKER = re.compile(r"\b(?:answer|response|reply|assistant|model|user|author|text|output)", re.I)

# After a verdict nothing may stand but these.
COURTESY = re.compile(
    r"(?:please )?(?:let me know|feel free|I hope (?:this|that) helps|thank you|thanks)\b[^\[\]\d]{0,120}", re.I
)
OUT_OF_TEN = r"(?:/ ?|out of )(?:10|ten)"

# A clause begins after a comma, a semicolon, a dash, "but", and after another mark; a sentence after another sentence.
SENTENCE = re.compile(r"(?<=[.!?]) ")
CLAUSE = re.compile(r"[,;—]|\bbut\b|\]\]", re.I)
