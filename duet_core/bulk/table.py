"""Rows as an Arrow table: one row a photo, answered or refused."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as arrow

from duet_core.bulk.classifier import Row

_PREDICTIONS = arrow.list_(
    arrow.struct(
        [
            ("class_id", arrow.string()),
            ("label", arrow.string()),
            ("seen", arrow.bool_()),
            ("probability", arrow.float64()),
            ("score", arrow.float64()),
            ("calibrated_score", arrow.float64()),
        ]
    )
)
_SAME = arrow.dictionary(arrow.int32(), arrow.string())
"""A text that most rows share takes hardly any room."""

COLUMNS = [
    ("row", arrow.int64()),
    ("path", arrow.string()),
    ("bytes", arrow.int64()),
    ("sha256", arrow.string()),
    ("status", _SAME),
    ("reason", _SAME),
    ("detail", arrow.string()),
    ("class_id", arrow.string()),
    ("label", arrow.string()),
    ("probability", arrow.float64()),
    ("accepted", arrow.bool_()),
    ("evidence", arrow.float64()),
    ("threshold", arrow.float64()),
    ("predictions", _PREDICTIONS),
    ("model", _SAME),
    ("bundle", _SAME),
    ("classes", _SAME),
    ("gamma", arrow.float64()),
]


def schema(attributes: int | None = None) -> arrow.Schema:
    """The columns; with `attributes` (A) also v, a list of A numbers."""
    more = [] if attributes is None else [("v", arrow.list_(arrow.float32()))]
    return arrow.schema([*COLUMNS, *more])


def table(rows: Sequence[Row], *, same: dict[str, object], attributes: int | None) -> arrow.Table:
    """Rows with what all of them share (`model`, `bundle`, `classes`, `gamma`), for `schema(attributes)`."""
    wanted = schema(attributes)
    records = [_record(row, with_v=attributes is not None) | same for row in rows]
    return arrow.Table.from_pylist(records, schema=wanted)


def _record(row: Row, *, with_v: bool) -> dict[str, object]:
    photo = row.photo
    record: dict[str, object] = {
        "row": photo.row,
        "path": photo.path.encode("utf-8", "backslashreplace").decode(),
        "bytes": photo.size,
        "sha256": photo.sha256,
        "status": "ok" if row.refused is None else "refused",
    }
    if row.refused is not None:
        detail = row.refused.detail.encode("utf-8", "backslashreplace").decode()
        return record | {"reason": row.refused.reason, "detail": detail}
    assert row.ranking is not None
    best, decision = row.ranking.predictions[0], row.ranking.decision
    record |= {
        "class_id": best.class_id,
        "label": best.label,
        "probability": best.probability,
        "accepted": decision.accepted,
        "evidence": decision.score,
        "threshold": decision.threshold,
        "predictions": [vars(prediction) for prediction in row.ranking.predictions],
    }
    return record | ({"v": row.v} if with_v else {})
