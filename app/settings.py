"""Every setting of the service; each is an environment variable with the prefix ``DUET_``."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.observability.logs import LogFormat

STORE_EXAMPLES = "'sqlite:///duet-classes.sqlite' or 'redis://localhost:6379/0'"


class Settings(BaseSettings):
    """Read once at start. ``DUET_STORE=redis://cache:6379/0`` sets `store`, and so on.

    Errors do not quote values, since the address of a store may hold a password.
    """

    model_config = SettingsConfigDict(env_prefix="DUET_", frozen=True, extra="forbid", hide_input_in_errors=True)

    bundle: Path = Field(
        default=Path("models/birds"), description="Folder of the exported model (manifest.json lies in it)."
    )
    bundles: Path | None = Field(
        default=None,
        description="Folder of the bundles that POST /admin/model may name; without it, the one that DUET_BUNDLE lies "
        "in.",
    )
    device: Literal["cpu", "cuda"] = Field(
        default="cpu",
        description="Where the model runs. `cuda` needs ONNX Runtime for CUDA (requirements/gpu.txt) and a GPU; the "
        "service does not start without them.",
    )
    gpu_memory_mb: int | None = Field(
        default=None,
        ge=64,
        description="Most MB of GPU memory for each of the model's two sessions (their arenas; CUDA itself takes some "
        "hundred MB more); without it there is no limit. Only with `DUET_DEVICE=cuda`.",
    )
    threads: int | None = Field(
        default=None,
        ge=1,
        le=256,
        description="Threads of the model; without it, this process's part of the CPUs that it may use (affinity and "
        "the container's CPU quota). `GET /model` tells what was chosen and why.",
    )
    processes: int = Field(
        default=1,
        ge=1,
        le=256,
        description="Service processes that share the CPUs which this one may use: workers in one container, or "
        "replicas on one host without CPU limits. Replicas with a limit of their own (`DUET_CPUS`) share nothing.",
    )
    store: str = Field(
        default="sqlite:///duet-classes.sqlite",
        description="Where registered classes are kept: `sqlite:///relative.sqlite`, `sqlite:////absolute.sqlite`, or "
        "`redis://host:port/db` (`rediss://` for TLS) when several replicas share them.",
    )
    store_timeout_seconds: float = Field(
        default=1.0, gt=0, le=30, description="Longest wait for the store before a request is answered 503."
    )
    poll_seconds: float = Field(
        default=1.0,
        gt=0,
        le=60,
        description="How often a process asks the store whether a class space has a new revision, besides following "
        "its changes.",
    )
    snapshots: Path | None = Field(
        default=Path("duet-snapshots"),
        description="Folder for copies of the class spaces, from which photos are classified when the service starts "
        "while Redis is away; not used with SQLite.",
    )
    max_spaces: int = Field(
        default=64, ge=1, description="Class spaces one process keeps in memory; the one unused longest makes room."
    )
    max_bytes: int = Field(
        default=10 * 2**20, ge=1024, description="Largest photo in bytes; enforced while it arrives."
    )
    max_json_bytes: int = Field(default=2**20, ge=1024, description="Largest JSON body in bytes.")
    max_import_bytes: int = Field(
        default=256 * 2**20, ge=1024, description="Largest file of classes in bytes, for POST /import."
    )
    body_timeout_seconds: float = Field(
        default=20.0,
        gt=0,
        description="Longest time a body may take to arrive; a slow one must not hold a place in the queue.",
    )
    header_timeout_seconds: float = Field(
        default=15.0,
        gt=0,
        description="Longest time that the headers of a request may take, before its connection is closed; only with "
        "`duet serve`.",
    )
    max_pixels: int = Field(
        default=25_000_000, ge=1, le=89_000_000, description="Most pixels of a photo, read from its header."
    )
    max_side: int = Field(default=10_000, ge=1, description="Longest side of a photo in pixels.")
    max_aspect: float = Field(default=50.0, ge=1, le=50, description="Longest side over shortest.")
    queue_images: int = Field(
        default=64,
        ge=1,
        description="Photos in the service at once (arriving, decoding, waiting, in the model); more get 503.",
    )
    steady_images: int | None = Field(
        default=None,
        ge=1,
        description="Photos in work while more come than can be computed. A burst may wait, up to `queue_images`; "
        "while the queue does not run empty, what is beyond these gets 503, so that answers stay quick. Two for each "
        "CPU keep all busy. Unset: as many as `queue_images`, so that all of them may wait.",
    )
    max_batch: int = Field(default=16, ge=1, le=256, description="Most photos the model is given at once.")
    key_queue_images: int | None = Field(
        default=None,
        ge=1,
        description="How many of these photos may be of one API key; more get 429. Unset: all of them.",
    )
    request_timeout_seconds: float = Field(
        default=30.0,
        gt=0,
        description="How long a photo may take, from its first byte to its encoding, when the request does not say "
        "(`X-Request-Timeout-Ms`); then it is answered 503 and not computed any more.",
    )
    max_request_timeout_seconds: float = Field(
        default=120.0, gt=0, description="The longest time that a request may ask for."
    )
    drain_seconds: float = Field(
        default=0.0,
        ge=0,
        le=300,
        description="After SIGTERM /readyz answers 503 and photos are refused at once; the port stays open so long, "
        "for load balancers that have to see it. What was begun is finished in any case.",
    )
    max_delay_ms: float = Field(
        default=0.0,
        ge=0,
        le=1000,
        description="How long the first photo of a batch may wait for others, never past a deadline. 0 takes what is "
        "there, which is best on a CPU; 1 or 2 may serve bursts better on a GPU.",
    )
    pad_batches: bool | None = Field(
        default=None,
        description="Fill batches up to 1, 2, 4, 8, … photos, so that a GPU meets few shapes. Unset: with "
        "`device=cuda`; on a CPU it is wasted work.",
    )
    model_timeout_seconds: float = Field(
        default=60.0,
        gt=0,
        description="A model call that takes longer makes the process unready; one that takes twice as long ends it.",
    )
    canary_seconds: float = Field(
        default=30.0,
        ge=0,
        description="How often an idle model is asked for a black photo; while it fails, the process is not ready. "
        "0: only when its thread begins.",
    )
    max_worker_deaths: int = Field(
        default=5,
        ge=1,
        description="So many ends of the inference thread in a row end the process, for its supervisor to start anew.",
    )
    decode_workers: int = Field(default=2, ge=1, le=64, description="Threads that decode photos.")
    decode_memory: int = Field(
        default=256 * 2**20,
        ge=16 * 2**20,
        description="Bytes that decoding may take at one time, all threads together. Photos wait for room; one that "
        "needs more by itself is refused, such as a WebP of more than about 16 million pixels.",
    )
    image_ttl_seconds: int = Field(
        default=900, ge=1, description="How long a photo's state is kept for GET /explain; the photo itself never is."
    )
    image_cache: int = Field(
        default=10_000,
        ge=1,
        description="Photo states that one process, and a SQLite store, keeps; the oldest makes room.",
    )
    api_keys: Path | None = Field(
        default=None,
        description="File of hashed API keys, made by `duet keys make`; read again when it changes. Without it "
        "everyone may do everything.",
    )
    fetch_urls: bool = Field(
        default=False,
        description="Whether a request may name a photo by its URL, which the service then fetches from a public "
        "address; needs httpx (requirements/client.txt).",
    )
    fetch_hosts: tuple[str, ...] = Field(
        default=(),
        description='Hosts that photos are fetched from, as JSON: `["images.example", "*.museum.example"]`. Without '
        "it, from any with a public address.",
    )
    fetch_ports: tuple[int, ...] = Field(default=(80, 443), description="Ports that photos are fetched from, as JSON.")
    fetch_timeout_seconds: float = Field(
        default=5.0, gt=0, le=30, description="Longest time a fetch may take, over all its redirects."
    )
    gallery: Path | None = Field(
        default=None,
        description="Folder of pictures that the page offers to try, readable without a key: JPEG, PNG or WebP, with a "
        "`gallery.json` for their labels and credits where wanted. Without it, those shipped; an empty folder: none.",
    )
    log_format: LogFormat = Field(
        default="auto",
        description="How log lines are written to standard error: `json`, an object a line for programs; `text` for "
        "people; `auto`: text on a terminal, JSON elsewhere.",
    )
    cors_origins: tuple[str, ...] = Field(
        default=(), description='Origins of web pages that may call the service, as JSON: `["https://birds.example"]`.'
    )

    @property
    def bundle_folder(self) -> Path:
        """Where the bundles lie that may be named."""
        return self.bundle.absolute().parent if self.bundles is None else self.bundles

    @field_validator("store")
    @classmethod
    def _known_store(cls, value: str) -> str:
        scheme, _, rest = value.partition("://")
        if scheme == "sqlite" and rest.startswith("/") and len(rest) > 1:
            return value
        if scheme in ("redis", "rediss") and rest:
            return value
        shown = f"{scheme}://…" if rest else "…@…" if "@" in value else value  # an address may hold a password
        raise ValueError(f"got {shown!r}; allowed are {STORE_EXAMPLES}")

    @model_validator(mode="after")
    def _limit_has_a_gpu(self) -> Self:
        if self.gpu_memory_mb is not None and self.device != "cuda":
            raise ValueError("DUET_GPU_MEMORY_MB limits a GPU's memory; set DUET_DEVICE=cuda too, or leave it out")
        return self

    @model_validator(mode="after")
    def _a_request_can_ask_for_the_default(self) -> Self:
        if self.request_timeout_seconds > self.max_request_timeout_seconds:
            raise ValueError(
                f"DUET_REQUEST_TIMEOUT_SECONDS {self.request_timeout_seconds:g} exceeds "
                f"DUET_MAX_REQUEST_TIMEOUT_SECONDS {self.max_request_timeout_seconds:g}"
            )
        return self

    @model_validator(mode="after")
    def _one_photo_fits(self) -> Self:
        if self.max_batch > self.queue_images:
            raise ValueError(
                f"DUET_MAX_BATCH {self.max_batch} exceeds DUET_QUEUE_IMAGES {self.queue_images}: it would never fill"
            )
        return self
