"""The Kubernetes manifests against the schemas of Kubernetes, and against each other."""

from __future__ import annotations

import functools
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest

from app.settings import Settings
from tests.deploy.deploy_files import DEPLOY, read_documents, read_yaml

FOLDER = DEPLOY / "kubernetes"
VERSIONS = ("1.29", "1.37")
"""The oldest and the newest Kubernetes looked at."""
KUSTOMIZATIONS = sorted(FOLDER.rglob("kustomization.yaml"))
RESOURCES = sorted(
    path for path in FOLDER.rglob("*.yaml") if "kustomization" not in path.name and path.parent != FOLDER
)
NEEDS_KUBECTL = pytest.mark.skipif(shutil.which("kubectl") is None, reason="no kubectl on this machine: not rendered")

Resource = dict[str, Any]


@functools.cache
def rendered(overlay: str) -> dict[str, Resource]:
    """What `kubectl kustomize` makes of an overlay, by kind."""
    done = subprocess.run(
        ["kubectl", "kustomize", str(FOLDER / "overlays" / overlay)], capture_output=True, text=True, check=True
    )
    return {document["kind"]: document for document in read_documents(done.stdout)}


@functools.cache
def base() -> dict[str, Resource]:
    """The resources of the base as they stand in their files, by kind."""
    listed = read_yaml(FOLDER / "base/kustomization.yaml")["resources"]
    return {document["kind"]: document for name in listed for document in [read_yaml(FOLDER / "base" / name)]}


def mistakes(document: Resource, version: str) -> list[tuple[str, str]]:
    """What the schema says against a document: the rule it breaks, and in words."""
    try:
        kubernetes_validate.validate(document, version, strict=True)
    except kubernetes_validate.ValidationError as error:
        return [(error.validator, str(error))]
    return []


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("path", RESOURCES, ids=lambda path: str(path.relative_to(FOLDER)))
def test_files_fit_the_schemas(path: Path, version: str) -> None:
    """A patch holds only what it changes, and so may lack what is required; all it has must be known."""
    patches = [patch["path"] for patch in read_yaml(path.parent / "kustomization.yaml").get("patches", [])]
    allowed = ("required",) if path.name in patches else ()
    assert [words for rule, words in mistakes(read_yaml(path), version) if rule not in allowed] == []


def test_the_schemas_find_mistakes() -> None:
    wrong = {**base()["Deployment"], "spec": {**base()["Deployment"]["spec"], "replica": 3}}
    assert "replica" in mistakes(wrong, VERSIONS[0])[0][1]


@pytest.mark.parametrize("path", KUSTOMIZATIONS, ids=lambda path: str(path.parent.relative_to(FOLDER)))
def test_kustomizations_name_what_exists_and_nothing_is_left_over(path: Path) -> None:
    kustomization = read_yaml(path)
    known = {"apiVersion", "kind", "namespace", "resources", "patches", "images", "labels"}
    assert kustomization.keys() <= known
    named = [*kustomization["resources"], *(patch["path"] for patch in kustomization.get("patches", []))]
    assert [name for name in named if not (path.parent / name).exists()] == []
    assert {file.name for file in path.parent.glob("*.yaml")} - set(named) == {path.name}
    for patch in kustomization.get("patches", []):
        document = read_yaml(path.parent / patch["path"])
        assert document["metadata"]["name"] == base()[document["kind"]]["metadata"]["name"]
    for image in kustomization.get("images", []):
        container = base()["Deployment"]["spec"]["template"]["spec"]["containers"][0]
        assert image["name"] == container["image"]


@NEEDS_KUBECTL
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("overlay", ["cpu", "gpu"])
def test_what_overlays_render_fits_the_schemas(overlay: str, version: str) -> None:
    kinds = rendered(overlay)
    assert kinds.keys() == {*base(), "Namespace"}
    for document in kinds.values():
        assert mistakes(document, version) == []
        assert document["metadata"].get("namespace", "duet") == "duet"


def selected(selector: dict[str, str], labels: dict[str, str]) -> bool:
    """Whether a selector that is not empty selects a pod with these labels."""
    return bool(selector) and selector.items() <= labels.items()


@NEEDS_KUBECTL
@pytest.mark.parametrize("overlay", ["cpu", "gpu"])
def test_selectors_select_the_pods(overlay: str) -> None:
    kinds = rendered(overlay)
    deployment = kinds["Deployment"]["spec"]
    labels = deployment["template"]["metadata"]["labels"]
    assert selected(kinds["Service"]["spec"]["selector"], labels)
    assert selected(deployment["selector"]["matchLabels"], labels)
    assert selected(kinds["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"], labels)
    policy = kinds["NetworkPolicy"]["spec"]
    assert selected(policy["podSelector"]["matchLabels"], labels)
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    peers = policy["ingress"][0]["from"]
    assert [peer["podSelector"]["matchLabels"] for peer in peers if "podSelector" in peer] == [{"duet-client": "true"}]
    scaled = kinds["HorizontalPodAutoscaler"]["spec"]
    assert scaled["scaleTargetRef"]["name"] == kinds["Deployment"]["metadata"]["name"]
    assert "replicas" not in deployment, "the autoscaler's"


@NEEDS_KUBECTL
@pytest.mark.parametrize("overlay", ["cpu", "gpu"])
def test_the_pod_is_fenced_in_and_asked_how_it_is(overlay: str) -> None:
    pod = rendered(overlay)["Deployment"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == 10001
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    fence = container["securityContext"]
    assert (fence["readOnlyRootFilesystem"], fence["allowPrivilegeEscalation"]) == (True, False)
    assert fence["capabilities"] == {"drop": ["ALL"]}
    assert container["startupProbe"]["httpGet"]["path"] == container["livenessProbe"]["httpGet"]["path"] == "/livez"
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert {"cpu", "memory"} <= container["resources"]["limits"].keys()
    assert {"cpu", "memory"} <= container["resources"]["requests"].keys()
    writable = {mount["mountPath"] for mount in container["volumeMounts"] if not mount.get("readOnly")}
    assert writable == {"/var/lib/duet", "/tmp"}
    assert pod["terminationGracePeriodSeconds"] > 30 + 5  # what the server gives to requests, and preStop


@NEEDS_KUBECTL
@pytest.mark.parametrize("overlay", ["cpu", "gpu"])
def test_settings_and_secrets(overlay: str) -> None:
    pod = rendered(overlay)["Deployment"]["spec"]["template"]["spec"]
    environment = {entry["name"]: entry for entry in pod["containers"][0]["env"]}
    assert environment.keys() <= {f"DUET_{name.upper()}" for name in Settings.model_fields}
    assert environment["DUET_STORE"]["valueFrom"]["secretKeyRef"] == {"name": "duet-store", "key": "url"}
    mount = next(mount for mount in pod["containers"][0]["volumeMounts"] if mount["name"] == "keys")
    assert environment["DUET_API_KEYS"]["value"].startswith(mount["mountPath"] + "/")
    secret = next(volume["secret"] for volume in pod["volumes"] if volume["name"] == "keys")
    assert not secret.get("optional"), "without keys everyone in the cluster could change classes"
    Settings(**{name.removeprefix("DUET_").lower(): e["value"] for name, e in environment.items() if "value" in e})


def test_no_secret_and_no_latest_is_committed() -> None:
    for path in FOLDER.rglob("*.yaml"):
        text = path.read_text()
        assert not re.search(r"^kind: Secret$", text, re.MULTILINE), path
        assert ":latest" not in text, path
