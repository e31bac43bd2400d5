"""Who may call what: API keys with scopes, kept as hashes in a file that is read again when it changes."""
