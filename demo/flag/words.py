"""What the flag bar says, in one place, in every tab; its callers escape what users typed."""

from __future__ import annotations

from dataclasses import dataclass

from adaclip.annotations import record

# What the person sees of the prediction: an alarm ("review" is one), none, or nothing at all.
STATES = ("alarm", "pass", "blind")


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A button for a verdict: its key, its words, and where it is offered.

    `sent` is the verdict to store, so that what was read when pressing is what is stored. Without
    the prediction in sight only the picture itself can be judged; `means` are the verdicts that
    can come of it.
    """

    key: str
    label: str
    sent: str
    states: tuple[str, ...]
    means: tuple[str, ...]


# In this order; a key says the same in every state in which it says anything.
CHOICES = (
    Choice(key="F", label="False alarm", sent="FP", states=("alarm",), means=("FP",)),
    Choice(key="F", label="No defect", sent="no_defect", states=("blind",), means=("FP", "TN")),
    Choice(key="T", label="Correct alarm", sent="TP", states=("alarm",), means=("TP",)),
    Choice(key="T", label="Correct pass", sent="TN", states=("pass",), means=("TN",)),
    Choice(key="N", label="Missed defect", sent="FN", states=("pass",), means=("FN",)),
    Choice(key="N", label="Defect", sent="defect", states=("blind",), means=("TP", "FN")),
    Choice(key="S", label="Not sure", sent="unsure", states=STATES, means=("unsure",)),
)


# Over the buttons, until there is something to say.
QUESTIONS = {
    "alarm": "Is this alarm right?",
    "pass": "Is it right to pass this picture?",
    "blind": "Is there a defect in this picture?",
}


# What a key that says nothing here is answered with.
NOT_OFFERED = {
    "alarm": "This is called an alarm, so nothing was missed: T if it is right, F if it is not.",
    "pass": "This is called normal, so no alarm can be false: T if that is right, N if a defect "
    "was missed.",
    "blind": "Say what is in the picture: F for no defect, N for a defect.",
}


VERDICTS = {code: said.capitalize() for code, said in record.VERDICTS.items()}
REASONS = {code: said.capitalize() for code, said in record.REASONS.items()}


PREDICTED = {"OK": "Normal", "REVIEW": "Review", "ANOM": "Anomalous", "": "not judged"}


MAX_COMMENT, MAX_NAME = record.MAX_COMMENT, record.MAX_NAME


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
    "What the model marked is filled in. For an alarm keep what the verdict is about; for a missed "
    "defect paint it. The verdict saves the region with it."
)


NO_STAGE = "The picture is not on the screen yet; press B again once it is."


UNREADABLE_REGION = (
    "The drawn region cannot be read, so nothing was stored. Press B twice to close and reopen "
    "the drawing, then judge again."
)


KEYS = (
    ("F T N S", "false alarm, correct, missed defect, not sure"),
    ("1 … 7", "the reason, before the verdict (with Shift on the Detect tab)"),
    ("U", "undo the last verdict"),
    ("B", "draw the region: E eraser, [ ] size, Z undo, + - zoom, Esc close"),
    ("H", "hide or show what was predicted"),
)


def comment_too_long(length: int) -> str:
    """A comment that is a document."""
    return f"The comment has {length:,} characters; at most {MAX_COMMENT:,} are kept. Shorten it."


def name_too_long(length: int) -> str:
    """A person's name that is none."""
    return f"The name has {length:,} characters; use at most {MAX_NAME}."


def wrong_size(given: tuple[object, ...], wanted: tuple[int, int]) -> str:
    """A region that belongs to another picture."""
    shape = " x ".join(str(n)[:12] for n in reversed(given))
    return (
        f"The region has {shape} pixels and the picture {wanted[1]} x {wanted[0]}: they do not "
        "belong together. Close the drawing and open it again."
    )


def with_region(source: str, area_px: int) -> str:
    """Which region was stored along, and how large it is."""
    which = "with the region on the screen" if source == "screen" else "region"
    return f"{which} ({area_px:,} px)"


def region_too_large(length: int, most: int) -> str:
    """A region of more edges than a hand draws."""
    return (
        f"The region takes {length:,} characters to describe; at most {most:,} are accepted. "
        "Clear it, and paint over the area instead of dotting it."
    )


def prediction_changed(alarm: bool) -> str:
    """The page read otherwise than the server when the verdict was pressed."""
    called = "an alarm" if alarm else "normal"
    return (
        f"At the threshold in force this picture is called {called}, so that verdict does not fit. "
        "Nothing was stored; the buttons are up to date now, press again."
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
