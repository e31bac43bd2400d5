"""The subcommands of `duet`: one module each, whose function `run` has typed arguments and a docstring."""
