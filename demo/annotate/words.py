"""What flagging and the Annotate tab say, in one place; see messages.py for the rest.

Text that holds values is a function; its callers escape what users typed.
"""

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
NOTHING_TO_UNDO = "There is nothing of this session left to undo."
TAKEN_BACK = "Taken back; the row stays in the file, marked so."
RESTORED = "Taken back; what you said before counts again."
KEEP = "Keep a copy of this image so it can be used for training"
REGION_HINT = (
    "The predicted region is filled in. For a false alarm keep the wrong parts; for a missed "
    "defect paint the defect. Then give your verdict."
)
NO_REGION = "The region editor sent nothing. Open it again with B, or save without a region."
UNREADABLE_REGION = "The drawn region cannot be read. Close the editor and open it again."

# The Annotate tab.
ORDERS = {
    "false_alarms": "Likely false alarms first",
    "uncertain": "Closest to the threshold first",
    "disagreement": "Checkpoints disagree first",
    "random": "At random",
}
ALL = "all"
WAITING, DONE = "waiting", "done"
SHOW = {WAITING: "Not judged by me", ALL: "All"}
SESSION_SOURCE, KEPT_SOURCE = "session", "kept"
SOURCE_SESSION = "My pictures on the Detect tab"
SOURCE_KEPT = "Pictures kept with annotations"
UNKNOWN_SOURCE = "That source is not on offer any more. Choose another one."
UNKNOWN_ROW = "This annotation is no longer in the list. Search again."
SOURCE_EMPTY = "There are no judged pictures here. Press Detect on the Detect tab first."
NEEDS_SECOND_RUN = (
    "For disagreement choose a second run of the same pictures, made with another checkpoint."
)
NO_COMMON = "The two runs have no picture in common."
BENCHMARK_TOO = (
    "Benchmark test images, too (a model trained on them cannot be measured on them any more)"
)
NOT_KEPT = "No copy of this image was kept."
NO_PAIRS = (
    "Agreement is shown once two people have judged the same pictures. Let a second person "
    "review the same queue under their own name, best of all blind."
)
NO_COMMON_MASKS = "No picture has a region by both."
KAPPA = "Kappa is agreement beyond chance: 1 is perfect, 0 is what guessing gives."
NO_DISAGREEMENT = "Nobody disagrees."
COMPUTING = "Computing from all labels…"
NOTHING_YET = "Nothing has been judged yet."
NO_ROWS = "No annotation matches. Flag a picture, or search for less."
NO_QUEUE = "No queue is open: choose what to review and press Start."
QUEUE_GONE = "This queue was dropped to make room. Press Start: it goes on where you stopped."
NO_MATCH = "Nothing matches these filters: choose fewer of them."
IMAGE_CHANGED = "The picture shown has changed. Judge it again."
NOT_YOURS = "This annotation is {name}'s. Give your own verdict instead; both are kept."
SAVED_EDIT = "Saved."
RETRACTED = "Retracted. The row stays in the file, marked as taken back."
HERO_TITLE = "Judge what the model said"
HERO_STEPS = (
    ("Choose the pictures", "your own, a run, or a folder of this server"),
    ("Press Start", "likely false alarms come first"),
    ("One key each", "F false alarm, T correct, N missed, S not sure"),
)
ALL_DONE = "All judged"
KEYS = (
    ("F T N S", "false alarm, correct, missed defect, not sure"),
    ("1 … 7", "the reason, before the verdict (with Shift on the Detect tab)"),
    ("U", "undo the last verdict"),
    ("B", "mark the region with brush and eraser"),
    ("H", "hide or show what was predicted"),
)
REVIEW_KEYS = (
    ("F T N S", "verdict"),
    ("1 … 7", "reason, before it"),
    ("B", "mark the region"),
    ("U", "undo"),
    ("← →", "previous, next"),
    ("H", "hide the prediction"),
    ("?", "all keys"),
)
TRAINING_BIAS = (
    "Pictures that were chosen because they looked like false alarms are no random sample: "
    "rates taken from them alone are too high. A queue at random gives an honest rate."
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


def pictures(count: int) -> str:
    """A number of pictures, in words."""
    return "1 picture" if count == 1 else f"{count:,} pictures"


def labels(count: int) -> str:
    """A number of annotations, in words."""
    return "1 annotation" if count == 1 else f"{count:,} annotations"


NOTHING_KEPT = (
    "No image has been kept yet: tick “Keep a copy of this image” under a picture when you flag it."
)
IMAGE_GONE = "The kept copy of this image is no longer in the annotation folder."


def no_pictures_in(folder: str) -> str:
    """A folder without images."""
    return f"{folder}: there is no picture in this folder."


def too_large_folder(count: int, limit: int) -> str:
    """A folder that would keep the device busy for hours."""
    return (
        f"The folder has {count:,} pictures; at most {limit:,} are judged for a queue. Evaluate "
        "it with `python -m adaclip evaluate` and review the run instead."
    )


LOADING = "Looking at the folder"


def looking(done: int, count: int) -> str:
    """A folder's pictures being judged."""
    return f"Judging {done:,} of {count:,} pictures"
