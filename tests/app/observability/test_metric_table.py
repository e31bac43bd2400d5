"""The table of metrics in the documentation is that of the code: names, kinds and labels."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families

from app.metrics import Metrics
from tests.tiny_bundle import picture_bytes

PAGE = Path(__file__).resolve().parents[3] / "docs" / "observability.md"
ROW = re.compile(r"(?m)^\| `(duet_\w+)` \| (\w+) \| ([\w, ]*)\| \S.* \|$")
TABLE = {
    name: (kind, set(filter(None, labels.replace(" ", "").split(","))))
    for name, kind, labels in ROW.findall(PAGE.read_text())
}


def test_the_table_lists_every_metric_with_its_kind() -> None:
    families = [family for family in Metrics().registry.collect() if family.name.startswith("duet_")]
    assert all(family.documentation.endswith(".") for family in families)
    assert {name: kind for name, (kind, _) in TABLE.items()} == {family.name: family.type for family in families}


def test_the_table_has_the_labels_of_a_running_service(client: httpx.Client) -> None:
    client.post("/classify", content=picture_bytes("red"), headers={"Content-Type": "image/png"})
    client.get("/metrics")
    seen = set()
    for family in text_string_to_metric_families(client.get("/metrics").text):
        for sample in family.samples:
            if family.name in TABLE:
                seen.add(family.name)
                assert set(sample.labels) - {"le"} == TABLE[family.name][1], sample.name
    assert len(seen) > 12
