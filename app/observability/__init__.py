"""What a running service tells of itself: log lines, traces and metrics. No photo, no key and no query is in any."""
