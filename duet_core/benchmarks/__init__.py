"""Benchmarks for zero-shot recognition, their splits, and their photos decoded once."""

from duet_core.benchmarks.attribute_names import cub_attribute, read_attribute_names
from duet_core.benchmarks.benchmark import Benchmark, BenchmarkError, Split
from duet_core.benchmarks.image_folder import load_image_folder
from duet_core.benchmarks.opening import open_benchmark
from duet_core.benchmarks.photo_cache import PhotoCache
from duet_core.benchmarks.xlsa17 import load_xlsa17

__all__ = [
    "Benchmark",
    "BenchmarkError",
    "PhotoCache",
    "Split",
    "cub_attribute",
    "load_image_folder",
    "load_xlsa17",
    "open_benchmark",
    "read_attribute_names",
]
