"""Every word the page says, in one place: plain, short, with a next step.

Text that holds values is a function; its callers escape what users typed.
"""

from __future__ import annotations

from adaclip.types import Verdict

TITLE = "AdaCLIP Studio"
TAGLINE = "Finds defects it was never shown"

VERDICT_WORDS = {
    Verdict.NORMAL: "Normal",
    Verdict.REVIEW: "Review",
    Verdict.ANOMALOUS: "Anomalous",
}

NO_PICTURE = "There is no picture yet: drop one on the page or pick an example."
RESULTS_GONE = (
    "These results were dropped to make room for newer ones. Drop the pictures again "
    "and press Detect."
)
NOT_UPLOADED = "That file was not uploaded through this page. Drop it again."
NO_URLS = "Web addresses are not fetched: send the picture itself, as a file."
FETCH_STARTS = "Asking the Hugging Face hub…"
FETCH_CANCELLED = "Cancelled; what has arrived is kept, and fetching goes on from there."
UNREADABLE_INPUT = (
    "The page sent a picture or a value that cannot be read. Reload it and try again."
)
NO_RESULT = "This picture has no result yet: press Detect first."
FILE_GONE = "The uploaded picture is no longer on the server. Drop it again."
NOTHING_TO_EXPORT = "There is no result to pack yet: press Detect first."
UNKNOWN_VALUE = "The page sent a value that is not on offer. Reload the page and try again."
THRESHOLD_RANGE = "The threshold must be a number from 0 to 1."
RUNNING_ALREADY = "These pictures are being judged already: wait, or press Cancel."
RUN_STOPPED = "The run of the pictures before them was stopped."
TRY_ANOTHER = "The reason is below. Try another picture."
OTHERS_CONTINUE = "The reason is below. The other pictures are not affected."

DROP_HINT = "Drop one, paste it, take a photo or pick an example."
HERO_TITLE = "Is something wrong with it?"
HERO_STEPS = (
    ("Drop a picture", "or paste it, take a photo, pick an example"),
    ("Name the object", "metal nut, carpet, brain MRI: any words"),
    ("Press Detect", "no training, no reference pictures"),
)

PREVIOUS, NEXT, TIMES = "\u2039", "\u203a", "\u00d7"
VIEW_LABELS = {
    "overlay": "Heat map",
    "contours": "Contours",
    "mask": "Mask",
    "map": "Map only",
}
SCALE_LABELS = {
    "fixed": "Same for all pictures (0 to 1)",
    "stretch": "Stretched to this picture",
}
DOWNLOADS = {
    "overlay": "Overlay PNG",
    "mask": "Mask PNG",
    "map16": "Map 16-bit PNG",
    "margin": "Margin NPY",
    "csv": "Table CSV",
    "zip": "Everything ZIP",
}
STRETCHED = "Stretched to this picture: colours cannot be compared with another picture's."
MAP_THRESHOLD_ORIGIN = (
    "Recommended: where regions overlapped known defects best (max-F1) when the checkpoint was "
    "calibrated; 0.5 if it was not."
)
NOT_CALIBRATED = "The score ranks pictures; it is not a probability."

SET_BY_YOU = "set by you"

# The verdict comes from the picture's score, the regions from the map: they may disagree.
MAP_AGAINST_NORMAL = (
    "The verdict comes from the score of the whole picture, the regions from the map, and each "
    "has a threshold of its own. If a marked spot is a defect, press Missed defect and lower the "
    "picture threshold. If it is not, raise the map threshold until it goes."
)
NO_REGION_ANOMALOUS = "Called anomalous, although no spot reaches the map's threshold."
SCORE_WITHOUT_REGION = (
    "The score looks at the whole picture: what is faint or spread out can raise it. Lower the "
    "map threshold or the smallest region to see where. If nothing is wrong there, press False "
    "alarm and raise the picture threshold."
)
UNIT_LABELS = {"score": "Score, 0 to 1", "margin": "Margin"}
UNIT_HINT = "Scores crowd near 0 and 1; their margins (logits) spread them out."


def verdict_sentence(verdict: Verdict, cut: str, yours: bool) -> str:
    """The verdict for who is new here."""
    threshold = f"your threshold of {cut}" if yours else f"the threshold of {cut}"
    return {
        Verdict.NORMAL: f"Nothing stands out: the score is below {threshold}.",
        Verdict.REVIEW: f"Too close to call, just below {threshold}: look at it yourself.",
        Verdict.ANOMALOUS: f"Something stands out: the score reaches {threshold}.",
    }[verdict]


def map_against_normal(count: int) -> str:
    """The map marks something in a picture that is called normal."""
    spots = "a region" if count == 1 else f"{count} regions"
    return f"Called normal, although the map marks {spots}."


def cannot_store(name: str) -> str:
    """A batch whose folder is gone, or a full disk."""
    return f"{name}: its preview cannot be written on the server. Drop it again."


def too_many_files(count: int, limit: int) -> str:
    """More pictures at once than one batch holds."""
    return f"{count} pictures at once are too many: give at most {limit}."


def unknown_checkpoint(checkpoint_id: str, known: list[str]) -> str:
    """A request for a checkpoint this server does not list."""
    return f"Unknown checkpoint {checkpoint_id!r}; there are: {', '.join(known)}."


def class_name_too_long(limit: int) -> str:
    """An object name that is no name."""
    return f"The object's name is too long: use at most {limit} characters."


def missing_checkpoint(how_to_get: str) -> str:
    """Chosen weights that are not on this machine."""
    return f"Not on this machine. {how_to_get}".strip()


def unexpected(log_id: str) -> str:
    """A fault of ours: the details are in the server's log under this id."""
    return f"Something went wrong on our side. The server's log has the details under {log_id}."


def device_in_use(ahead: int) -> str:
    """Another visitor's run has the device."""
    runs = "run is" if ahead == 1 else "runs are"
    return f"The device is in use: {ahead} {runs} ahead of yours. It starts by itself."


def not_loaded(title: str, reason: str) -> str:
    """Weights that are here and do not work; one line, or its beginning."""
    text = f"{title} could not be loaded"
    line = " ".join(reason.split())
    if not line:
        return text
    return f"{text}: {line if len(line) <= 200 else line[:199] + '…'}"


def loading_model(title: str, seconds: float) -> str:
    """The first use of a checkpoint."""
    return f"{title}, {seconds:.0f} s so far. Only the first run waits for it."


def progress(done: int, total: int, seconds_left: float | None) -> str:
    """How far a batch is."""
    left = "" if seconds_left is None else f" · about {duration(seconds_left)} left"
    return f"{done} of {total}{left}"


def duration(seconds: float) -> str:
    """Seconds as people say them."""
    if seconds < 60:
        return f"{max(1, round(seconds))} s"
    return f"{int(seconds // 60)} min {int(seconds % 60):02d} s"


def summary(counts: dict[Verdict, int], failed: int, waiting: int, phase: str) -> str:
    """One line over a batch."""
    parts = [f"{counts[v]} {v.value}" for v in reversed(Verdict) if counts.get(v)]
    parts = [p.replace("review", "to review") for p in parts]
    if failed:
        parts.append(f"{failed} could not be read" if failed > 1 else "1 could not be read")
    if waiting:
        parts.append(f"{waiting} not run" if phase == "cancelled" else f"{waiting} waiting")
    return " · ".join(parts)


def pictures_ready(count: int) -> str:
    """Pictures are in, nothing has run."""
    return "One picture is ready" if count == 1 else f"{count} pictures are ready"


def leak(dataset: str) -> str:
    """The chosen checkpoint saw this object's dataset in training."""
    return (
        f"This checkpoint was trained on {dataset}, which has this object: "
        "on its pictures the result is not zero-shot and looks better than it is."
    )


def sentences_for(words: str) -> str:
    """Over the list of final prompts."""
    return f"The sentences it compares “{words}” with"


def packing(done: int, total: int) -> str:
    """A ZIP in the making."""
    return f"Packing {done} of {total}…"


def fetching(file: str, done_bytes: int, total_bytes: int | None, seconds: float) -> str:
    """Weights on their way."""
    if not total_bytes:
        return f"{file}: {done_bytes / 1e6:.0f} MB"
    text = f"{file}: {done_bytes / 1e6:.0f} of {total_bytes / 1e6:.0f} MB"
    if done_bytes and seconds > 1.0:
        left = seconds * (total_bytes - done_bytes) / done_bytes
        text += f" · about {duration(left)} left"
    return text


KEYS = (
    ("Enter", "in the object's name: Detect"),
    ("← →", "previous, next picture"),
    ("1 2 3 4", "heat map, contours, mask, map only"),
    ("R", "recommended thresholds"),
    ("Esc", "cancel, close"),
    ("?", "this help"),
)

NO_STORE = (
    "Annotations cannot be stored on this server, so there is nothing to review. "
    "The reason is in the server's log."
)
