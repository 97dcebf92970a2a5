"""Which folder names and words mean "normal": one rule for trees and tables.

Case, spaces, numbers and words such as "parts" do not count: `Good `, `0_good`, `OK_parts`,
`normal images`. "No", "without" or "free" turns a word for defects into normal and a word for
good into a defect: `no_defect`, `defect_free`, `not ok`, `n.i.O.`. A name that holds a word for
good beside others (`good_but_scratched`) is unclear, and unclear is asked, never guessed.
"""

from __future__ import annotations

import re
import unicodedata


def words_of(text: str) -> frozenset[str]:
    """The words of a text, as a set."""
    return frozenset(text.split())


_GOOD = words_of(
    """
    good ok okay normal normals io pass passed accept accepted healthy intact perfect flawless
    nondefective conform conforming conforme conformes gut gute guter gutes gutteil gutteile
    inordnung bon bonne bons bonnes correct buono buona buoni bueno buena buenos bom boa bons
    dobry dobre dobra dobrze goed bra hyva hyvä iyi sağlam jó норма норм хороший хорошие годный
    годен 正常 良品 合格 良 好 정상 양품 합격
    """
)
_DEFECTIVE = words_of(
    """
    nio nok ng notok bad abnormal anormal nogood notgood defect defective reject rejected fail
    failed ausschuss schlecht 不良 不良品 不合格 異常 异常 불량 비정상 брак
    """
)
_BAD = words_of(
    """
    defect defects defective anomaly anomalies anomalous fault faults faulty flaw flaws flawed
    damage damages damaged error errors crack cracks cracked scratch scratches scratched issue
    issues broken blemish blemishes finding findings fehler defekt defekte mangel mängel
    schaden schäden defaut defauts défaut défauts anomalie anomalies difetto difetti defecto
    defectos defeito defeitos vada wada wady brak virhe fel hiba
    """
)
_NO = words_of(
    """
    no non not without zero nil ohne kein keine nicht sans pas senza sin sem bez geen zonder
    utan ilman nem не без
    """
)
_FREE = words_of(
    """
    free frei less libre vrij fri
    """
)
# Words that say nothing about the state.
_FILLER = words_of(
    """
    part parts image images picture pictures photo photos sample samples piece pieces item
    items product products unit units class only all set test train data the a of de teil teile
    bild bilder stück muster state label labelled
    """
)
# Probably normal, but not said.
_HINTS = words_of(
    """
    clean fine golden master reference negative sauber
    """
)
_DOTTED = re.compile(r"\b[^\W\d_](?:\.\s?[^\W\d_]\b)+\.?")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z][a-z])")
_ZERO = re.compile(r"(?<![^\W_])0+(?![^\W_])")
_WORD = re.compile(r"[^\W\d_]+")


def is_normal_name(name: str) -> bool | None:
    """True: the name means normal. False: it does not. None: it speaks of good and of more."""
    plain = _CAMEL.sub(" ", unicodedata.normalize("NFKC", name))
    plain = _DOTTED.sub(lambda found: re.sub(r"[\s.]", "", found.group()) + " ", plain)
    words = [word for word in _WORD.findall(plain.casefold()) if word not in _FILLER]
    compact = "".join(words)
    if compact in _GOOD or compact in _DEFECTIVE:
        return compact in _GOOD
    rest = [word for word in words if word not in _NO]
    negated = len(rest) < len(words)
    if rest and all(word in _GOOD for word in rest):
        return not negated
    bad = rest[:-1] if rest and rest[-1] in _FREE else rest
    if bad and all(word in _BAD for word in bad) and (negated or len(bad) < len(rest)):
        return True
    if len(words) == 1 and _denies(compact):
        return True
    speaks = any(word in _GOOD or word in _HINTS for word in words) or (
        any(good in compact for good in ("good", "normal", "okay"))
        and not any(bad in compact for bad in ("abnormal", "anormal", "nogood", "notgood"))
    )
    # "0 defects" may be none, or the first of the defects.
    negated = negated or any(word in _FREE for word in words) or bool(_ZERO.search(name))
    denies = negated and any(word in _BAD for word in words)
    return None if speaks or denies else False


def same_name(one: str, other: str) -> bool:
    """Whether a folder is the one a person named: case and outer spaces do not count."""
    return _folded(one) == _folded(other)


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name).strip().casefold()


def _denies(compact: str) -> bool:
    """ "defectfree", "nodefect", "undamaged", "fehlerfrei", "faultless"."""
    return any(
        compact in (f"{bad}{free}", f"{no}{bad}")
        for bad in _BAD
        for free in (*_FREE, "los")
        for no in (*_NO, "un")
    )
