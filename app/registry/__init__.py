"""Where registered classes are kept, and how each process follows them."""
