"""Where the object is in a whole photo: a small network learns the boxes that a benchmark's crops were cut from."""
