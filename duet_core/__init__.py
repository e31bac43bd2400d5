"""DUET: what the model is, how it learns, how it is judged and how it is exported."""
