"""Named studies: rows of one recipe, run for several seeds and compared. No torch but in the processes that train."""

from duet_core.studies.record_store import RecordStore
from duet_core.studies.study import Study, StudyError, StudyRow
from duet_core.studies.study_file import load_study

__all__ = ["RecordStore", "Study", "StudyError", "StudyRow", "load_study"]
