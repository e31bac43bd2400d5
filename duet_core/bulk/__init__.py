"""Millions of photos to one Parquet file: in shards, each written once, so that a killed job goes on where it was.

`begin.py` checks what was asked and begins a job, or finds one begun; `job.py` is its work folder, `photo_list.py` and
`plan.py` its photos, `classes.py` its classes. `worker.py` is what one process does for it: `photo.py` reads one file,
`classifier.py` turns photos into rows, `table.py` rows into Arrow, `writing.py` writes.
`progress.py` tells how far it is.
"""
