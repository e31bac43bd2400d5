"""Photos by URL, where the operator allows it: only from public addresses, each checked before it is connected to."""
