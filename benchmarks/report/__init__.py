"""From the results of the benchmarks to the tables and pictures of docs/performance.md."""
