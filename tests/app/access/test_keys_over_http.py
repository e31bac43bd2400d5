"""A service with keys: who gets in, what is answered else, a key changed while it runs, and what stays open."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import tritonclient.http as triton
from huggingface_hub import InferenceClient
from huggingface_hub.errors import HfHubHTTPError
from tritonclient.utils import InferenceServerException

from duet_client import DuetClient, NewClass, NotAuthorized
from duet_core.cli import main
from tests.service_process import ServiceProcess
from tests.tiny_bundle import ALL_BLUE, picture_bytes

BLUE = {"id": "blue-bird", "label": "Blue Bird", "attributes": ALL_BLUE}
PHOTO = {"image": ("photo.png", picture_bytes("red"), "image/png")}


class Keys:
    """A key file, written as an operator writes it: with `duet keys`."""

    def __init__(self, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.path = path
        self._capsys = capsys

    def make(self, name: str, scopes: str) -> str:
        """A new key."""
        return self._run("make", name, "--scopes", scopes)

    def revoke(self, name: str) -> None:
        """Revoke every key of this name."""
        for line in self._run("list").splitlines():
            if line.split()[1] == name:
                self._run("revoke", line.split()[0])

    def _run(self, *words: str) -> str:
        assert main(["keys", *words, "--file", str(self.path)]) == 0
        return self._capsys.readouterr().out.strip()


@pytest.fixture
def keys(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Keys:
    return Keys(tmp_path / "keys.json", capsys)


@pytest.fixture
def guarded(keys: Keys, tiny_bundle: Path, tmp_path: Path) -> Iterator[ServiceProcess]:
    """A service that asks for the keys of `keys`."""
    keys.make("first", "classify")
    store = f"sqlite:///{tmp_path}/classes.sqlite"
    service = ServiceProcess(tmp_path, bundle=tiny_bundle, store=store, api_keys=keys.path)
    yield service.start()
    service.close()


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def refusal(answer: httpx.Response) -> tuple[int, str, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["type"], answer.headers["www-authenticate"]


def test_keys_open_what_their_scopes_say(guarded: ServiceProcess, keys: Keys) -> None:
    client = guarded.client
    missing = (401, "/problems/key-missing", 'Bearer realm="duet"')
    assert refusal(client.get("/classes")) == missing
    assert refusal(client.post("/classify", files=PHOTO)) == missing
    assert refusal(client.get("/nowhere")) == missing  # what exists is nobody's business
    assert refusal(client.get("/classes", headers={"Authorization": "Basic YTpi"})) == missing
    unknown = (401, "/problems/key-unknown", 'Bearer realm="duet", error="invalid_token"')
    assert refusal(client.get("/classes", headers=bearer("duet_guess"))) == unknown
    assert refusal(client.get("/classes", headers={"X-API-Key": "duet_guess"})) == unknown

    camera, curator, owner = (keys.make(name, s) for name, s in [("c", "classify"), ("m", "manage"), ("a", "admin")])
    assert client.post("/classify", files=PHOTO, headers=bearer(camera)).status_code == 200
    assert client.post("/classify", files=PHOTO, headers={"X-API-Key": camera}).status_code == 200
    needs_manage = (403, "/problems/scope-missing", 'Bearer realm="duet", error="insufficient_scope", scope="manage"')
    refused = client.post("/classes", json=BLUE, headers=bearer(camera))
    assert refusal(refused) == needs_manage
    assert (refused.json()["got"], refused.json()["allowed"]) == (["classify"], ["admin", "manage"])
    assert client.get("/classes?seen=false", headers=bearer(camera)).json()["total"] == 0
    assert client.post("/classes", json=BLUE, headers=bearer(curator)).status_code == 201
    assert client.post("/classify", files=PHOTO, headers=bearer(curator)).status_code == 403
    assert client.delete("/classes/blue-bird", headers=bearer(owner)).status_code == 200
    assert client.post("/classify", files=PHOTO, headers=bearer(owner)).status_code == 200
    assert client.get("/nowhere", headers=bearer(owner)).status_code == 404


def test_head_needs_the_key_that_get_needs(guarded: ServiceProcess, keys: Keys) -> None:
    for path in ("/classes", "/model", "/log", "/livez"):
        asked, whole = guarded.client.head(path), guarded.client.get(path)
        assert asked.status_code == whole.status_code == (200 if path == "/livez" else 401)
        key = bearer(keys.make(path.strip("/"), "classify"))
        asked, whole = guarded.client.head(path, headers=key), guarded.client.get(path, headers=key)
        assert asked.status_code == whole.status_code
        assert asked.headers.get("www-authenticate") == whole.headers.get("www-authenticate")


def test_a_key_is_changed_without_a_restart(guarded: ServiceProcess, keys: Keys) -> None:
    client, old = guarded.client, keys.make("camera", "classify")
    assert client.get("/classes", headers=bearer(old)).status_code == 200
    keys.revoke("camera")
    new = keys.make("camera", "classify")
    assert client.get("/classes", headers=bearer(old)).status_code == 401
    assert client.get("/classes", headers=bearer(new)).status_code == 200
    keys.path.write_text("{ half a fi")
    assert client.get("/classes", headers=bearer(new)).status_code == 200
    assert "the keys stay as they were" in guarded.log
    assert new not in guarded.log


def test_other_protocols_clients_send_keys_their_own_way(guarded: ServiceProcess, keys: Keys) -> None:
    camera, labels = keys.make("camera", "classify"), ["red-bird", "green-bird"]
    address = f"{guarded.url}/hf/zero-shot-image-classification"
    hub = InferenceClient(model=address, token=camera).zero_shot_image_classification(picture_bytes("red"), labels)
    assert hub[0].label == "red-bird"
    with pytest.raises(HfHubHTTPError, match="mistyped or revoked"):
        InferenceClient(model=address, token="hf_other").zero_shot_image_classification(picture_bytes("red"), labels)

    oip = triton.InferenceServerClient(guarded.url.removeprefix("http://"))
    assert oip.is_server_ready()
    assert oip.is_model_ready("tiny")
    assert oip.get_model_metadata("tiny", headers=bearer(camera))["name"] == "tiny"
    with pytest.raises(InferenceServerException, match="asks for an API key"):
        oip.get_model_metadata("tiny")
    oip.close()

    with DuetClient(guarded.url, key=camera) as duet:
        assert duet.classify(picture_bytes("red")).predictions[0].class_id == "red-bird"
        with pytest.raises(NotAuthorized, match="has not the scope 'manage'"):
            duet.import_classes([NewClass(id="x", label="X", prompt="a red bird")])


def test_health_metrics_and_the_page_stay_open(guarded: ServiceProcess) -> None:
    client = guarded.client
    for path in ("/livez", "/readyz", "/metrics", "/docs", "/openapi.json", "/problems/key-missing", "/gallery"):
        assert client.get(path).status_code == 200, path
    page = client.get("/").text
    assert 'id="key-dialog"' in page
    for asset in re.findall(r'(?:src|href)="(assets/[^"]+)"', page):
        assert client.get(f"/{asset}").status_code == 200, asset
    assert client.post("/").status_code == 405


def test_a_browser_of_an_allowed_origin_may_ask_before_it_sends_its_key(
    keys: Keys, tiny_bundle: Path, tmp_path: Path
) -> None:
    key = keys.make("page", "classify")
    origin = {"Origin": "https://birds.example"}
    service = ServiceProcess(
        tmp_path,
        bundle=tiny_bundle,
        store=f"sqlite:///{tmp_path}/classes.sqlite",
        api_keys=keys.path,
        cors_origins='["https://birds.example"]',
    ).start()
    try:
        asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
        assert service.client.options("/classify", headers=origin | asked).status_code == 200
        refused = service.client.get("/classes", headers=origin)
        assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (401, origin["Origin"])
        assert service.client.get("/classes", headers=origin | bearer(key)).status_code == 200
    finally:
        service.close()


def test_without_keys_everything_is_open_and_the_log_says_so(tiny_bundle: Path, tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path}/classes.sqlite"
    service = ServiceProcess(tmp_path, bundle=tiny_bundle, store=store).start()
    try:
        assert service.client.post("/classes", json=BLUE).status_code == 201
        assert "DUET_API_KEYS is not set: whoever reaches this service may" in service.log
    finally:
        service.close()


def test_a_key_file_that_cannot_be_read_ends_the_start(tiny_bundle: Path, tmp_path: Path) -> None:
    service = ServiceProcess(tmp_path, bundle=tiny_bundle, api_keys=tmp_path / "none.json")
    with pytest.raises(pytest.fail.Exception, match="duet keys make"):
        service.start(wait="/livez")
    service.signal(signal.SIGTERM)
