"""Published results: 1,515 values of the fourteen datasets, each with its source and protocol.

`datasets_meta/published_results.csv` holds them in percent as printed; the loader gives 0-1.
Values of different protocols must not stand in one column of a table, so every row names its own.
The rule, from what a source says about training data and about who measured:

- AdaCLIP's own tables 1, 2 and 9 to 14 (auxiliary sets of both domains): `adaclip`. Its tables
  with other training data are protocols of their own: `adaclip-single-set`,
  `adaclip-industrial-only`, `adaclip-medical-only`; methods trained on the target's normal images
  in the same paper are `full-shot`.
- Whatever somebody else than the method's authors measured is `re-eval-<who>`, one protocol per
  measurer: four parties print four different values for AdaCLIP.
- Authors' own values go by training data: `mvtec-trained`, `visa-trained`, `training-free`,
  `transductive`, `synthetic-trained`; `released-weights` are logs of the published files. Where a
  source calls a protocol its own, it keeps that: `edmprompt`, `moeclip`, `adaptclip`, `uniadet`.
  `unstated`: the training data is not said.

Within a protocol a method may have been printed twice; both rows are kept, and agree.
`published_other_datasets.csv` holds what the same sources print for datasets without a card.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from adaclip.data.cards import META_FOLDER
from adaclip.errors import DatasetError, InputError

if TYPE_CHECKING:  # a second to import, and needed for tables alone
    import pandas as pd

RESULTS_FILE = META_FOLDER / "published_results.csv"
OTHER_DATASETS_FILE = META_FOLDER / "published_other_datasets.csv"
MEANS = ("mean:industrial", "mean:medical")
METRICS = ("auroc", "max_f1", "average_precision", "aupro")
LEVELS = ("image", "pixel")
COLUMNS = (
    "method",
    "venue",
    "year",
    "training_data",
    "protocol",
    "dataset",
    "class_name",
    "level",
    "metric",
    "value",
    "source",
    "confidence",
)
PROTOCOLS = {
    "adaclip": "AdaCLIP's paper: trained on an industrial and a medical set",
    "adaclip-single-set": "AdaCLIP's paper: trained on one industrial set, as AnomalyCLIP is",
    "adaclip-industrial-only": "AdaCLIP's ablation: industrial training data only",
    "adaclip-medical-only": "AdaCLIP's ablation: medical training data only",
    "full-shot": "AdaCLIP's paper: trained on the target's normal images, not zero-shot",
    "mvtec-trained": "authors' own: trained on MVTec AD, on VisA for MVTec AD",
    "visa-trained": "authors' own: trained on VisA, on MVTec AD for VisA",
    "training-free": "authors' own: nothing is trained",
    "transductive": "authors' own: looks at the whole unlabelled test set",
    "synthetic-trained": "authors' own: trained on synthetic images",
    "released-weights": "logs of the authors' released weights",
    "edmprompt": "EDMPrompt's own: trained on MVTec AD, on VisA for MVTec AD",
    "moeclip": "MoECLIP's table: trained on VisA, on MVTec AD for VisA",
    "adaptclip": "AdaptCLIP's own",
    "uniadet": "UniADet's own",
    "unstated": "authors' own: the training data is not said",
    "re-eval-acd-clip": "measured again by ACD-CLIP's authors",
    "re-eval-bayes-pfl": "measured again by Bayes-PFL's authors",
    "re-eval-edmprompt": "measured again by EDMPrompt's authors",
    "re-eval-moeclip": "measured again by MoECLIP's authors",
    "re-eval-uniadet": "measured again or listed by UniADet's authors",
    "re-eval-vcp-clip-issue": "measured again by a user of VCP-CLIP",
    "re-eval-third-party": "measured again by a third party",
}


def published_results(
    protocol: str | Collection[str] | None = None,
    *,
    other_datasets: bool = False,
    path: Path | None = None,
) -> pd.DataFrame:
    """The published values: COLUMNS, `value` 0-1, `class_name` "" for a whole dataset.

    `protocol` keeps one or several; None keeps all rows, and then the caller must group by the
    column `protocol`. `dataset` is a card's key or one of MEANS; with `other_datasets` it is the
    name of a dataset without a card. Raises InputError for an unknown protocol and DatasetError
    for a damaged file.
    """
    import pandas as pd

    wanted = [protocol] if isinstance(protocol, str) else protocol
    unknown = sorted(set(wanted or ()) - set(PROTOCOLS))
    if unknown:
        raise InputError(
            f"unknown protocol {', '.join(map(repr, unknown))}; choose from {', '.join(PROTOCOLS)}"
        )
    file = path or (OTHER_DATASETS_FILE if other_datasets else RESULTS_FILE)
    try:
        table = pd.read_csv(
            file,
            dtype=dict.fromkeys(COLUMNS, "str") | {"year": "int64", "value_percent": "float64"},
            keep_default_na=False,
        )
        table["value"] = (table.pop("value_percent") / 100).round(6)
        table = table[list(COLUMNS)]
    except (OSError, ValueError, KeyError) as error:
        raise DatasetError(
            f"{file}: the published results cannot be read ({error!r}); "
            "restore the file from the project's repository"
        ) from error
    return table if wanted is None else table[table["protocol"].isin(wanted)].reset_index(drop=True)
