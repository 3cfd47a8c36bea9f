"""Words by which a judge takes a verdict back, in several languages. Tables only.

Each pattern is given one sentence of bounded length; `s2eval.judge.verdicts.retractions` says how they are used.
"""

from __future__ import annotations

import re

# What a judge calls its own verdict. A score may be the answer's topic; "above" or "my" makes it the judge's.
_NOUN = (
    r"(?:ratings?|scores?|grades?|verdicts?|marks?|judge?ments?|evaluation|assessment|conclusion|choice|decision|"
    r"number)"
)
_OWN = (
    rf"(?:(?:the )?(?:above|foregoing)|what I (?:wrote|said|gave)|(?:the |my )?first line(?! of (?!th[ei]s|my))|"
    rf"(?:the |my |this "
    rf"|that )?(?:line|{_NOUN}) (?:above|before this|given above|(?:at|in) the (?:top|start|beginning|first line))|"
    rf"(?:the |my )?"
    rf"(?:previous|preceding|earlier|initial|prior|first) (?:line|{_NOUN})|(?:the |my |this |that )?(?:rating|"
    rf"verdict)|(?:my|this|"
    rf"that) {_NOUN}|the (?:score|grade|mark))(?! of\b)"
)
_ADVERBS = (
    r"(?: (?:\w{2,10}ly|just|now|then|in fact|far|much|way|of course|also|all|a bit|a little|rather|quite|no|"
    r"therefore|thus|"
    r"hence|again|indeed|hereby)){0,3}"
)
_UNTIL = r"(?:(?!\b(?:because|since|as|for|so|and|but|while|that|which|if)\b)[^,;:]){0,40}?"
_WRONG = (
    r"(?:wrong|incorrect|mistaken|(?:\w{3,10} (?:in|by|as) )?(?:an? |in )?(?:mistake|error|slip|typo|joke|test|"
    r"placeholder|draft|lie)|"
    r"erroneous|invalid|"
    r"void|null|nonsense|obsolete|outdated|out of date|provisional|preliminary|tentative|premature|inaccurate|unfair|"
    r"unjustified|undeserved|inflated|fake|no longer|not (?:right|correct|accurate|valid|mine|final|fair|justified|"
    r"deserved|"
    r"true|what I|my)|too (?:high|low|generous|harsh|lenient|kind|strict)|(?:copied|taken|quoted) from)"
)
_DISMISS = (
    r"(?:ignore|disregard|discard|dismiss|forget|scrap|scratch|strike|delete|cancel|void|overrule|override|revoke|"
    r"retract|"
    r"withdraw|rescind|annul|nullify)"
)
_DISMISSED = (
    r"(?:(?:ignor|disregard|discard|dismiss|cancell?|overrul|revok|retract|rescind|annull|nullifi|void|scrapp|delet|"
    r"replac|"
    r"supersed|revers|revis|correct|amend|chang|lower|rais|reduc|adjust|downgrad|upgrad)ed|withdrawn|forgotten|"
    r"struck|overridden"
    r"|lower|higher)"
)
_I = (
    r"\bI(?:['’](?:ve|m|ll|d))?(?: (?:have|had|am|was|must|now|also|hereby|would|will|did|do|just|clearly|need to|"
    r"want to|have to|should)){0,3}"
)
_DO_NOT = r"(?:do not|don[’']t|never|please do not|please don[’']t)"
_CANNOT = r"(?:cannot|can[’']t|won[’']t|will not|refuse to|decline to|am unable to|am not able to)"
_PAUSE = r"\W{0,2}(?:[,.:;!?—–-]|$)"

TAKEN_BACK = re.compile(
    # "Please ignore the above", "You should disregard it"
    rf"^(?:(?:so|and|then|but|please|kindly|just|therefore|thus|hence|also|instead|you (?:can|should|may|must)|"
    rf"let[’']s|safely)"
    rf"[ ,:]+)*{_DISMISS}\b.{{0,30}}?\b(?:{_OWN}|it|that|this|everything|all of)\b(?! (?:it|the|if|when|"
    rf"\w{{2,12}}s)\b)|"
    rf"^{_DO_NOT} (?:use|count|record|trust|take|rely on|store|consider)\b.{{0,20}}\b(?:{_OWN}|it|that)\b|"
    rf"^(?:please )?(?:treat|consider|regard|take) {_OWN}.{{0,20}}\b(?:{_WRONG}|{_DISMISSED})\b|"
    rf"^(?:none|all|everything|nothing|much) (?:of )?(?:the )?(?:above|I (?:wrote|said))(?: (?:is|was|are|were|"
    rf"should|must|can)\b|"
    rf"\W*$)|\b(?:text|everything|all|words?|line) above (?:is|was) (?:part of|written by|from|copied|taken|"
    rf"quoted)\b|{_I} not (?:mean|intend)\b|"
    # "The above is wrong", "My first rating must be ignored"
    rf"\b{_OWN}{_UNTIL}\b(?:is|was|were|are|seems|looks|has been){_ADVERBS} (?:{_WRONG}|{_DISMISSED})\b|"
    rf"\b{_OWN}{_UNTIL} (?:should|must|can|may|ought to|has to|needs to|is to) (?:not (?:count|be (?:used|counted))|"
    rf"be {_DISMISSED})\b|"
    rf"^(?:it|that|this) (?:should|must|can|may|ought to|has to|is to) be (?:ignored|disregarded|discarded|"
    rf"withdrawn)\b|"
    rf"\b{_OWN}{_UNTIL} (?:does|do|should|must|will) ?(?:no longer|not|n[o’']t) (?:count|apply|stand|hold)\b|"
    r"^(?:that|this) (?:was|is|seems) (?:\w+ ){0,2}too (?:generous|harsh|lenient|strict)\b|^(?:that|"
    r"it) was (?:\w+ ){0,2}(?:generous|"
    r"harsh|lenient|premature)\W*$|\bthat was (?:too )?(?:generous|harsh|lenient|premature)\W*$|"
    rf"^(?:that|this|it) (?:is|was) not my (?:final |real |actual |true )?{_NOUN}\b|^no {_NOUN}(?: (?:can|could|"
    rf"will|is)\b|\W*$)|"
    rf"\bcannot be (?:rated|scored|graded|judged)\b(?! (?:as|any|high|low|better))|"
    rf"\bI (?:refuse|decline) to (?:give|assign) (?:an? |any )?{_NOUN}\b|"
    r"^in hindsight(?:,| (?:I|the|it|this|that)\b)|^(?:to correct myself|correcting myself|nvm)\b|"
    # "I take that back", "I have changed my mind"
    rf"{_I} (?:tak(?:e|ing) .{{0,30}}\bback\b|(?:retract|withdraw|revoke|rescind|recant|reconsider(?:ed)?|disown|"
    rf"misread|misjudged|"
    r"mistyped|miswrote|misunderstood|misspoke|mis-?rated)\b|chang(?:e|ed|ing) my (?:mind|view|"
    rf"{_NOUN})|made (?:an? |some )?(?:\w+ )?(?:mistakes?|errors?|typo|slip)\b|(?:wrong|mistaken|in error|"
    rf"too (?:generous|harsh|kind|lenient|"
    r"strict|quick|hasty))\b|(?:over|under)-?(?:rated|scored|estimated) (?:it|this|the answer)|stand corrected|"
    r"no longer\b|not stand\b|"
    rf"(?:revis|correct|amend|chang|updat|lower|rais|reduc|adjust|downgrad|upgrad)\w{{0,3}} (?:{_OWN}|myself)\b)|"
    rf"\bI {_CANNOT} (?:rate|score|grade|judge|evaluate) (?:this|it|the|that)\b(?!.{{0,30}}\b(?:higher|lower|more|"
    rf"above|below|better|any)\b)|"
    rf"\bmy (?:real|true|actual|corrected|revised|updated|amended|new|proper) {_NOUN}\b|\bthe (?:real|true|actual|"
    rf"corrected|revised|"
    r"updated|amended) (?:rating|verdict)\b|"
    # "Wait, the second sum is wrong"
    rf"^(?:wait|hold on|hang on|oops|whoops|ouch|sorry|apolog(?:y|ies)|kidding|jk|not so fast){_PAUSE}|"
    rf"^no,? (?:wait|that|"
    rf"this|it is|it[’']s|actually|I)\b|^no\W*$|^I apologi[sz]e\b|\bmy (?:mistake|bad|"
    rf"apologies|error)\b|^scratch "
    r"that\b|^strike that\b|^never ?mind\b|^just kidding\b|"
    r"^(?:but |however, )?(?:on|after|upon) (?:a )?(?:second thoughts?|(?:due |further |closer |more careful |"
    r"some )?(?:reflection|"
    r"inspection|reconsideration|re-?reading|thought)|(?:second|closer|further|another) (?:look|reading|examination|"
    r"consideration)|reconsider\w*|re-?(?:think|evaluat|examin|check)\w*|(?:having )?re-?read)\b|"
    r"^having (?:re-?read|reconsidered|"
    r"thought again|read (?:it|this|the \w+) again)\b|^thinking (?:about it |it over )?again\b|^(?:on |"
    r"after )?reading (?:it |this |the "
    r"\w+ )?again\b|^actually,? (?:no|wait|scratch|my|make|I|(?:that|this) (?:is|was) (?:too|wrong|not)|"
    r"it (?:deserves|should|is only)|"
    r"the (?:above|rating))\b|^let me (?:reconsider|revise|redo|re-?rate|rethink|re-?evaluate|restate|correct|"
    r"change|fix|amend|start "
    r"(?:over|again))\b|^I mean\b",
    re.I,
)
# Of the sentence right below the verdict: "That is wrong", "This is how the answer begins", "Correction:". Further down
# they may be about the answer.
TAKEN_BACK_AT_ONCE = re.compile(
    rf"^(?:correction|corrigendum|erratum|edit|update|revision|amendment|retraction){_PAUSE}|"
    r"^(?:that|it|this|which|the above|the first line)(?:['’]s| (?:is|was)) (?:\w+ly |just )?(?:(?:an? )?(?:wrong|"
    r"incorrect|mistaken|mistake"
    r"|error)|too (?:high|low|kind|strict|generous|harsh)|not (?:right|correct))\W*$|"
    r"^(?:that|it|this|which|the above|the first line)(?:['’]s| (?:is|was)) (?:\w+ly |just )?(?:how|what|quoted|"
    r"copied|taken|from)\b.{0,30}\b"
    r"(?:answer|assistant|response|text|model|author|it) (?:under judge?ment )?(?:begin|start|end|open|close|say|"
    r"ask|demand|want|read|state|"
    r"claim|write|tell)s\b",
    re.I,
)

# In other languages. First what begins a sentence, then what may stand anywhere.
_OPENS = (
    r"(?:korrektur|berichtigung|ignorier\w*|vergiss|vergessen sie|moment mal|correctie|negeer|vergeet|rättelse|"
    r"rettelse|korrigering|"
    r"ignorera|ignorér|rectification|rectificatif|ignorez|oubliez|attendez|corrección|correccion|"
    r"rectificación|rectifico|fe de "
    r"erratas|ignor[ae]n?|olvid[ae]\w*|descart[ae]n?|correzione|rettifica|ignorate|dimentica\w*|correção|correcção|"
    r"retificação|desconsider\w+|"
    r"esqueç\w+|korekta|poprawka|sprostowanie|zignoruj\w*|oprava|ignorujte|исправление|поправка|(?:про)?игнорируйте|"
    r"забудьте|виправлення|"
    r"düzeltme|đính chính|sửa lại|bỏ qua|koreksi|ralat|abaikan|تصحيح|تجاهل|सुधार)(?!\w)(?! (?:at|by|if|when|that|a|"
    r"an|the)\b)|等等[,,]|等一下|不对"
    r"|不對|待って|やっぱり|訂正|잠깐|정정"
)
_ANYWHERE = (
    r"(?:bitte ignorier\w*|zu ignorieren|ignorieren sie (?:das|die|den|es|bitte)|(?:ich )?widerrufe|zurückgenommen|"
    r"zurückgezogen|(?:nehme|"
    r"ziehe) .{0,30}zurück|habe mich (?:geirrt|vertan|verschrieben)|doch nicht|nach nochmaligem|ik (?:trek|"
    r"neem) .{0,30}(?:in|terug)|ik heb me "
    r"vergist|bij nader inzien|jag tar tillbaka|veuillez (?:ignorer|oublier)|ne tenez pas compte|j['’]annule|"
    r"je (?:me )?(?:retire|corrige|"
    r"reviens|rétracte|ravise)|je me suis tromp\w+|réflexion faite|tout bien réfléchi|à la relecture|"
    r"me (?:he )?equivo(?:qué|cado)|me "
    r"(?:retracto|corrijo)|retiro (?:lo|la|mi|el)|por favor,? ignor\w+|pensándolo (?:bien|mejor)|mejor dicho|"
    r"mi (?:sono sbagliat\w|correggo)|"
    r"ho sbagliato|ritiro (?:la|il|quanto)|ripensandoci|enganei-me|me enganei|errei|volto atrás|pensando (?:bem|"
    r"melhor)|"
    r"pomyliłe?a?m|wycofuję|cofam|исправляю|не учитывайте|отзываю|отменяю|я ошиб(?:ся|лась)|беру .{0,20}назад|"
    r"передумал\w*|"
    r"(?:görmezden gelin|geri alıyorum|yanıldım|yok sayın)|hãy bỏ qua|vui lòng bỏ qua|rút lại|tarik kembali|أسحب|"
    r"أتراجع|ألغي|أخطأت|يرجى تجاهل|"
    r"अनदेखा कर(?:ें|ो)|वापस लेता)"
)
_SIGNS = (  # of scripts without spaces between words
    r"(?:更正|纠正|糾正|修正)[::为為]|撤回|(?:收回|取消)(?:以上|上述|评分|該|该|此|我的)|作废|作廢|(?:请|請|"
    r"可以?)(?:忽略|无视|無視|不要理)|忽略(?:以上|上述|上面|前面|此评分)|"
    r"我(?:错了|錯了|搞错|弄错|看错|改主意)|重新(?:评分|打分|考虑|评价)|取り消します|無視して|間違えた|間違えまし|"
    r"考え直|に訂正|무시(?:하세요|해 ?주|하십시오|바랍니다)|철회|취소합|"
    r"수정합니다|다시 생각"
)
_ABOVE_AND_WRONG: tuple[tuple[str, str], ...] = (
    (
        r"(?:obig\w+|(?:von |hier )?oben|bewertung|wertung|(?:die|meine|obige) note|urteil|erste zeile)",
        r"(?:falsch\w*|irrtum|ungültig|hinfällig|nichtig|überholt|zu (?:hoch|niedrig|streng|großzügig))",
    ),
    (
        r"(?:ci-dessus|précédente?|plus haut|(?:la|ma|cette) note|évaluation|première ligne)",
        r"(?:faux|fausse|erronée?|incorrecte?|invalide|nulle|trop (?:haute?|basse?|élevée?|généreuse|sévère))",
    ),
    (
        r"(?:lo anterior|anterior|arriba|calificación|puntuación|veredicto|acima|avaliação|pontuação|primera línea)",
        r"(?:incorret[oa]|incorrect[oa]|erróne[oa]|equivocad[oa]|errad[oa]|inválid[oa]|demasiado|demais)",
    ),
    (r"(?:sopra|precedente|valutazione|punteggio|verdetto)", r"(?:sbagliat[oa]|errat[oa]|non valid[oa]|troppo)"),
    (r"(?:bovenstaande|hierboven|beoordeling|cijfer|oordeel)", r"(?:fout|onjuist|ongeldig|te (?:hoog|laag))"),
    (
        r"(?:ovan\w*|betyg\w*|ovenstående|karakter\w*|vurdering\w*)",
        r"(?:fel|felaktig\w*|ogiltig\w*|forkert|feil|ugyldig)",
    ),
    (r"(?:powyższ\w+|ocena|výše|hodnocení)", r"(?:błęd\w+|nieprawid\w+|nieważn\w+|chybn\w+|špatn\w+|neplatn\w+)"),
    (r"(?:yukarıda\w*|puan|değerlendirme)", r"(?:yanlış|hatalı|geçersiz)"),
    (
        r"(?:выше\w*|оценка|вердикт|вище|оцінка)",
        r"(?:неверн\w+|ошибочн\w+|неправильн\w+|недействит\w+|завышен\w*|занижен\w*|помилков\w+)",
    ),
    (r"(?:أعلاه|التقييم|الدرجة)", r"(?:خطأ|خاطئة?|غير صحيحة?|لاغية?)"),
    (r"(?:ऊपर|उपरोक्त|रेटिंग)", r"(?:गलत|ग़लत|अमान्य)"),
    (r"(?:ở trên|điểm|đánh giá)", r"(?:sai|nhầm|không hợp lệ|quá cao)"),
    (r"(?:di atas|skor|penilaian)", r"(?:salah|keliru|tidak sah)"),
)
_NEAR_SIGNS = (
    r"(?:以上|上述|上面|评分|分数|打分|得分|評分|分數|第一行).{0,10}(?<!没有)(?<!没)(?<!沒有)(?:错|錯|有误|有誤|"
    r"不对|不對|不算|无效|無效|过高|過高|太高|过低|太低)|"
    r"(?:上記|上の評|先ほど|評価|評点|点数|最初の行).{0,10}(?:間違(?!いはな|いがな)|誤り(?!はな|がな|はあり|のな)|"
    r"誤って|無効|無視|高すぎ|低すぎ)|"
    r"(?:위의|앞의|평가|점수|첫 줄).{0,10}(?:틀렸|틀린|잘못|오류(?!.{0,3}없)|무효|너무 (?:높|낮))"
)
TAKEN_BACK_ELSEWHERE = re.compile(
    rf"^\W*(?:{_OPENS})|(?<!\w){_ANYWHERE}(?!\w)|{_SIGNS}|{_NEAR_SIGNS}|"
    + "|".join(rf"(?<!\w){above}(?!\w).{{0,40}}?(?<!\w){wrong}(?!\w)" for above, wrong in _ABOVE_AND_WRONG),
    re.I,
)
