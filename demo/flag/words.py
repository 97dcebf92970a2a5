"""What the flag bar says, in one place, in every tab; its callers escape what users typed."""

from __future__ import annotations

# What a person can press: key, then words. What is stored depends on what was predicted.
CHOICES = {
    "false_alarm": ("F", "False alarm"),
    "correct": ("T", "Correct"),
    "missed": ("N", "Missed defect"),
    "unsure": ("S", "Not sure"),
}


# Without the prediction in sight only the picture itself can be judged.
BLIND_CHOICES = {
    "no_defect": ("F", "No defect"),
    "defect": ("N", "Defect"),
    "unsure": ("S", "Not sure"),
}


VERDICTS = {
    "FP": "False alarm",
    "TP": "Correct alarm",
    "FN": "Missed defect",
    "TN": "Correct pass",
    "unsure": "Not sure",
}


REASONS = {
    "edge": "Edge or contour",
    "reflection": "Reflection",
    "background": "Background",
    "texture": "Texture",
    "print": "Print or label",
    "dirt": "Allowed dirt",
    "other": "Other",
}


PREDICTED = {"OK": "Normal", "REVIEW": "Review", "ANOM": "Anomalous", "": "not judged"}


MAX_COMMENT, MAX_NAME = 2000, 80


NO_STORE = (
    "Annotations cannot be stored on this server, so there is nothing to review. "
    "The reason is in the server's log."
)


NO_NAME = "Write your name (or initials) first: every annotation says whose it is."


NOTHING_SHOWN = "There is no judged picture here: press Detect first, then flag it."


OTHER_SHOWN = (
    "Another picture is shown here by now, so nothing was stored. Look at it and judge again."
)


UNREADABLE_FLAG = "The page sent a flag that cannot be read. Reload the page and try again."


TAKEN_BACK = "Taken back; the row stays in the file, marked so."


RESTORED = "Taken back; what you said before counts again."


KEEP = "Keep a copy of this picture on the server, for training and for review"


REGION_HINT = (
    "The predicted region is filled in. For a false alarm keep the wrong parts; for a missed "
    "defect paint the defect. Then give your verdict."
)


NO_REGION = "The region editor sent nothing. Open it again with B, or save without a region."


UNREADABLE_REGION = "The drawn region cannot be read. Close the editor and open it again."


KEYS = (
    ("F T N S", "false alarm, correct, missed defect, not sure"),
    ("1 … 7", "the reason, before the verdict (with Shift on the Detect tab)"),
    ("U", "undo the last verdict"),
    ("B", "mark the region with brush and eraser"),
    ("H", "hide or show what was predicted"),
)


def comment_too_long(length: int) -> str:
    """A comment that is a document."""
    return f"The comment has {length:,} characters; at most {MAX_COMMENT:,} are kept. Shorten it."


def name_too_long(length: int) -> str:
    """A person's name that is none."""
    return f"The name has {length:,} characters; use at most {MAX_NAME}."


def wrong_size(given: tuple[int, ...], wanted: tuple[int, int]) -> str:
    """A region that belongs to another picture."""
    shape = " x ".join(str(n) for n in reversed(given))
    return (
        f"The region has {shape} pixels and the picture {wanted[1]} x {wanted[0]}: they do not "
        "belong together. Open the region editor again."
    )


def judged_meanwhile(when: str, verdict: str) -> str:
    """Two pages of one person hold the same picture."""
    return (
        f"This picture was judged in your name at {when} UTC ({verdict}), after this page showed "
        "it. Nothing was changed; what is stored is shown now. Judge again to replace it."
    )


def taken_back_meanwhile() -> str:
    """The other page undid it."""
    return (
        "Your earlier verdict on this picture was taken back on another page. Nothing was "
        "changed; judge again to store one."
    )
