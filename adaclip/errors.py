"""The errors this project raises on purpose.

    AdaClipError
    ├── InputError         a value the caller gave: class name, threshold, batch size ...
    │   └── ImageError     one image that cannot be read or used
    ├── CheckpointError    weights that are missing, damaged or do not fit
    │   └── FetchError     weights that could not be fetched from the hub
    ├── DatasetError       a dataset folder that does not match its layout
    └── StoreError         a file of ours that cannot be written or read back

Every message says what went wrong, which value or file it was, and what to do about it.
"""


class AdaClipError(Exception):
    """Base of every error raised on purpose; its text is fit to be shown to the user."""


class InputError(AdaClipError):
    """A value given by the caller cannot be used."""


class ImageError(InputError):
    """One image cannot be read, decoded or used."""


class CheckpointError(AdaClipError):
    """Weights are missing, damaged, or do not fit the model."""


class FetchError(CheckpointError):
    """Weights could not be fetched from the hub."""


class DatasetError(AdaClipError):
    """A dataset folder does not match its layout."""


class StoreError(AdaClipError):
    """A file of ours cannot be written or read back."""
