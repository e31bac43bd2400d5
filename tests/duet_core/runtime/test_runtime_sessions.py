"""Sessions take their part of the machine, do not spin, keep no arena, and say of themselves what they run with."""

from __future__ import annotations

import os
from pathlib import Path

import onnxruntime
import pytest

from duet_core.runtime import BundleError, Execution, ProviderError, describe_execution, open_bundle
from duet_core.runtime.sessions import ON_CPU, choose_threads, cuda_options, open_session, session_options, thread_count
from tests.tiny_bundle import write_manifest, write_tiny_bundle

CPUS = len(os.sched_getaffinity(0))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_tiny_bundle(tmp_path / "tiny")


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"cpu.max": "max 100000\n"}, None),
        ({"cpu.max": "50000 100000\n"}, 1),
        ({"cpu.max": "150000 100000\n"}, 2),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None),
        ({"cpu/cpu.cfs_quota_us": "100000", "cpu/cpu.cfs_period_us": "100000"}, 1),
        ({}, None),
    ],
)
def test_threads_follow_the_quota_of_the_container(tmp_path: Path, files: dict[str, str], expected: int | None) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert thread_count(tmp_path) == (CPUS if expected is None else min(CPUS, expected))


@pytest.mark.parametrize(("processes", "expected"), [(1, 6), (2, 3), (4, 1), (6, 1), (7, 1)])
def test_processes_on_one_host_share_its_cpus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, processes: int, expected: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    (tmp_path / "cpu.max").write_text("600000 100000\n")
    chosen = choose_threads(Execution(processes=processes), tmp_path)
    assert chosen.value == expected
    assert "may run on 8 CPUs, quota of 6" in chosen.why
    assert ("shared by" in chosen.why) == (processes > 1)


def test_threads_asked_for_are_those_of_every_session(folder: Path) -> None:
    bundle = open_bundle(folder, execution=Execution(threads=3, processes=2))
    for session in (bundle.vision, bundle.grounding, bundle.text):
        assert session.get_session_options().intra_op_num_threads == 3


def test_sessions_do_not_spin_and_keep_no_arena(folder: Path) -> None:
    options = open_session(folder / "vision.onnx", Execution(threads=1)).get_session_options()
    assert options.intra_op_num_threads == 1
    assert options.inter_op_num_threads == 1
    assert not options.enable_cpu_mem_arena
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"


def test_a_session_tells_what_it_runs_with(folder: Path) -> None:
    told = describe_execution(open_bundle(folder, execution=Execution(processes=CPUS)))
    values = {name: choice.value for name, choice in told.items()}
    assert values == {
        "provider": "CPUExecutionProvider",
        "threads": 1,
        "spinning": False,
        "cpu_arena": False,
        "memory_pattern": False,
        "graph_optimisation": "ORT_ENABLE_ALL",
        "precision": "float32",
        "onnxruntime": onnxruntime.__version__,
    }
    assert all(choice.why for choice in told.values())


def test_what_is_told_is_read_from_the_session(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def careless(_: Execution) -> onnxruntime.SessionOptions:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 2
        options.add_session_config_entry("session.intra_op.allow_spinning", "1")
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        return options

    monkeypatch.setattr("duet_core.runtime.sessions.session_options", careless)
    told = describe_execution(open_bundle(folder, execution=Execution(threads=1)))
    assert (told["threads"].value, told["spinning"].value, told["cpu_arena"].value) == (2, True, True)
    assert told["graph_optimisation"].value == "ORT_DISABLE_ALL"


def test_gpu_memory_is_limited_when_asked_and_grows_by_what_is_needed() -> None:
    free, limited = cuda_options(None), cuda_options(512)
    assert free["arena_extend_strategy"] == limited["arena_extend_strategy"] == "kSameAsRequested"
    assert free["cudnn_conv_algo_search"] == "HEURISTIC"
    assert "gpu_mem_limit" not in free
    assert limited["gpu_mem_limit"] == str(512 * 2**20)
    assert limited["cudnn_conv_use_max_workspace"] == "0"
    assert all(isinstance(value, str) for value in limited.values())  # ONNX Runtime takes nothing else


def test_cuda_gets_its_options_and_no_fallback(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    class FellBack:
        def __init__(self, *_: object, providers: object) -> None:
            asked.append(providers)

        def disable_fallback(self) -> None: ...

        def get_providers(self) -> list[str]:
            return ["CPUExecutionProvider"]

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider"])
    monkeypatch.setattr(onnxruntime, "preload_dlls", lambda: None)
    monkeypatch.setattr(onnxruntime, "InferenceSession", FellBack)
    execution = Execution(providers=("CUDAExecutionProvider", "CPUExecutionProvider"), gpu_memory_mb=256)
    with pytest.raises(ProviderError, match="asked for CUDAExecutionProvider, ONNX Runtime chose"):
        open_session(folder / "vision.onnx", execution)
    assert asked == [[("CUDAExecutionProvider", cuda_options(256)), "CPUExecutionProvider"]]


def test_int8_is_not_run_where_it_has_no_kernels(folder: Path) -> None:
    write_manifest(folder, precision="int8")
    assert open_bundle(folder).precision == "int8"
    with pytest.raises(ProviderError, match="int8, which CUDAExecutionProvider has no kernels for"):
        open_bundle(folder, execution=Execution(providers=("CUDAExecutionProvider",)))


@pytest.mark.parametrize(
    ("stated", "message"),
    [
        ({"precision": "int4"}, "precision 'int4'; allowed are float32, float16, int8"),
        ({"precision": "float16", "golden_tolerance": 5.0}, "golden_tolerance 5.0; allowed for float16"),
        ({"precision": "float16", "golden_tolerance": "much"}, "golden_tolerance 'much'"),
        ({"golden_tolerance": 0.05}, "golden_tolerance 0.05; allowed for float32"),
    ],
)
def test_a_manifest_cannot_switch_the_golden_check_off(folder: Path, stated: dict[str, object], message: str) -> None:
    write_manifest(folder, **stated)
    with pytest.raises(BundleError, match=message):
        open_bundle(folder)


def test_session_options_are_those_of_the_execution() -> None:
    assert session_options(ON_CPU).intra_op_num_threads == thread_count()
