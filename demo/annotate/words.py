"""What flagging and the Annotate tab say, in one place; see messages.py for the rest.

Text that holds values is a function; its callers escape what users typed.
"""

from __future__ import annotations

from adaclip.annotations.queue import ALL

NOTHING_TO_UNDO = "There is nothing of this session left to undo."


def edited(what: str, name: str) -> str:
    """A row was changed; `what` is the verdict and whose it is."""
    return f"Saved: {what} on {name}."


def retracted(what: str, name: str) -> str:
    """A row was taken back."""
    return f"Retracted: {what} on {name}. The row stays in the file, marked as taken back."


def undone(what: str, name: str) -> str:
    """The last change was undone; `what` holds again."""
    return f"Undone: {what} on {name} counts again."


def settled(truth: str, name: str) -> str:
    """A dispute was settled."""
    return f"Settled: {name} is {truth}. Exports, thresholds and training go by this."


def settled_by(truth: str, name: str) -> str:
    """What a dispute was settled with, and by whom."""
    return f"{truth.capitalize()}, by {name}"


def changed_picture(name: str) -> str:
    """A file of that name is there, with other pixels."""
    return (
        f"{name} is here, but its pixels are not those that were judged: the file was changed or "
        "is another one. No copy of the judged picture was kept."
    )


# The Annotate tab.
ORDERS = {
    "false_alarms": "Highest score first",
    "uncertain": "Closest to the threshold first",
    "disagreement": "Where two checkpoints disagree first",
    "random": "At random",
}
# The same order where it is known which pictures are normal.
NORMALS_FIRST = "Highest-scoring normals first (likely false alarms)"
JUDGED_KEPT = "Shown with the checkpoint and the threshold that each was judged with."
CLASS_OF_RUN = "as in the run"
OPEN_QUEUE = "The open queue stays as it is; press Start for one with these settings."
WAITING, DONE = "waiting", "done"
SHOW = {WAITING: "Not judged by me", ALL: "All"}
SESSION_SOURCE, KEPT_SOURCE = "session", "kept"
SOURCE_SESSION = "My pictures on the Detect tab"
SOURCE_KEPT = "Pictures kept with annotations"
UNKNOWN_SOURCE = "That source is not on offer any more. Choose another one."
UNKNOWN_ROW = "This annotation is no longer in the list. Search again."
SOURCE_EMPTY = "There are no judged pictures here. Press Detect on the Detect tab first."
NO_COMMON = "The two runs have no picture in common."
BENCHMARK_TOO = (
    "Benchmark test images, too (a model trained on them cannot be measured on them any more)"
)
NO_PICTURE = (
    "No copy of this picture was kept, and it is in none of the folders this server may show. "
    "Tick “Keep a copy” when you flag, or start the server with --data-root and its folder."
)
KEPT_DAMAGED = (
    "The kept copy of this picture cannot be read, and it is in none of the folders this server "
    "may show."
)
NO_PAIRS = (
    "Agreement is shown once two people have judged the same pictures. Let a second person "
    "review the same queue under their own name, best of all blind."
)
NO_COMMON_MASKS = "No picture has a region by both."
KAPPA = "Kappa is agreement beyond chance: 1 is perfect, 0 is what guessing gives."
NO_DISAGREEMENT = "Nobody disagrees."
SETTLED = "settled"
NOT_SETTLED = "This picture is not settled (any more)."
NOT_YOUR_SETTLEMENT = (
    "{name} settled this picture. Settle it otherwise instead; that one then counts."
)
NO_LONGER_DISPUTED = "This picture is no longer disputed. Open this page again."
UNSETTLED = "Settlement taken back; the row stays in the file, marked so."
HIDDEN = "Hidden until you have judged it"
NOT_PREDICTED = "Nothing was predicted"
# What keeps a picture out of training -> the same with the way out.
WAY_OUT = {
    "the annotators disagree": "the annotators disagree; settle it on the Agreement page",
}
COMPUTING = "Computing from all labels…"
NOTHING_YET = "Nothing has been judged yet."
NO_ROWS = "No annotation matches. Flag a picture, or search for less."
NO_QUEUE = "No queue is open: choose what to review and press Start."
QUEUE_GONE = "This queue was dropped to make room. Press Start: it goes on where you stopped."
NO_MATCH = "Nothing matches these filters: choose fewer of them."
IMAGE_CHANGED = "The picture shown has changed. Judge it again."
NOT_YOURS = "This annotation is {name}'s. Give your own verdict instead; both are kept."
HERO_TITLE = "Judge what the model said"
HERO_STEPS = (
    ("Choose the pictures", "your own, a run, or a folder of this server"),
    ("Press Start", "the highest scores come first"),
    ("One key each", "F false alarm, T correct, N missed, S not sure"),
)
ALL_DONE = "All judged"
REVIEW_KEYS = (
    ("F T N S", "verdict"),
    ("1 … 7", "reason, before it"),
    ("B", "draw the region"),
    ("U", "undo"),
    ("← →", "previous, next"),
    ("H", "hide the prediction"),
    ("?", "all keys"),
)
TRAINING_BIAS = (
    "Pictures that were chosen because they looked like false alarms are no random sample: "
    "rates taken from them alone are too high. A queue at random gives an honest rate."
)


def pictures(count: int) -> str:
    """A number of pictures, in words."""
    return "1 picture" if count == 1 else f"{count:,} pictures"


def labels(count: int) -> str:
    """A number of annotations, in words."""
    return "1 annotation" if count == 1 else f"{count:,} annotations"


NOTHING_KEPT = "Nothing has been kept yet: tick “Keep a copy of this picture” when you flag one."
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


def orders(*, labelled: bool, comparable: bool) -> list[tuple[str, str]]:
    """(label, order) for a source: what is known of it decides what an order does."""
    return [
        (NORMALS_FIRST if labelled and order == "false_alarms" else label, order)
        for order, label in ORDERS.items()
        if comparable or order != "disagreement"
    ]


def class_of_folder(labelled: bool) -> str:
    """Where the class names of a folder's pictures come from."""
    return "the dataset's" if labelled else "from the folder names"


def unreadable_threshold(text: str) -> str:
    """No number."""
    return f"The threshold {text!r} is no number from 0 to 1; leave it empty for its own."


LOADING = "Looking at the folder"


def looking(done: int, count: int) -> str:
    """A folder's pictures being judged."""
    return f"Judging {done:,} of {count:,} pictures"
