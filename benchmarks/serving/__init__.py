"""What the benchmarks of serving share: photos, client, servers, the bare loop, the machine's description."""
