"""The synchronous client."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import httpx
from pydantic import BaseModel

from duet_client import calls, class_calls
from duet_client.answers import Candidates, Classification, Explanation
from duet_client.calls import Call, Photo
from duet_client.class_answers import (
    ChangedClass,
    ChangedSpace,
    ClassDetail,
    ClassPage,
    ClassSummary,
    DeletedClass,
    Imported,
    LoggedWrite,
    SpaceSettings,
    SpaceSummary,
    StoredClass,
)
from duet_client.connection import DEFAULT_SPACE, PAGE, TIMEOUT, options
from duet_client.descriptions import ClassChange, FileKind, NewClass
from duet_client.exchange import Outcome, Received, Wait, broken, exchange
from duet_client.model_answers import CalibrationState, ModelAnswer, Schema, SwappedModel
from duet_client.paging import Pager
from duet_client.retries import Retries

Reply = TypeVar("Reply", bound=BaseModel)


class DuetClient:
    """Talks to one service. Use it in a `with`, or call `close`; threads may share it.

    Every method raises ServiceError (with the service's problem), Unreachable or UnexpectedAnswer.

    Args:
        server: address of the service, such as ``http://localhost:8000``.
        key: API key, where the service asks for one.
        retries: how often, and how long, to try again.
        timeout: seconds to wait for a connection and between two parts of an answer.
    """

    def __init__(
        self, server: str, *, key: str | None = None, retries: Retries | None = None, timeout: float = TIMEOUT
    ) -> None:
        self.server = server
        self._retries = retries or Retries()
        self._http = httpx.Client(**options(server, key, timeout))

    def classify(
        self,
        photo: Photo,
        *,
        top_k: int = 5,
        candidates: Candidates = "all",
        gamma: float | None = None,
        coverage: float | None = None,
        find: bool = True,
        space: str = DEFAULT_SPACE,
        min_revision: int | None = None,
        as_of: int | None = None,
    ) -> Classification:
        """The best classes of a photo, given as bytes or as a path; with `coverage` also a set of classes.

        `find=False` takes the photo's central square and does not look for the object.
        """
        call = calls.classify(
            photo,
            top_k=top_k,
            candidates=candidates,
            gamma=gamma,
            coverage=coverage,
            find=find,
            space=space,
            min_revision=min_revision,
            as_of=as_of,
        )
        return self._ask(call)

    def explain(
        self,
        shown: Photo | str,
        *,
        class_id: str | None = None,
        versus: str | None = None,
        edits: bool = False,
        limit: int | None = None,
        gamma: float | None = None,
        find: bool = True,
        space: str = DEFAULT_SPACE,
        min_revision: int | None = None,
        as_of: int | None = None,
    ) -> Explanation:
        """Why a photo fits a class, and not `versus`; `shown` is the `image_id` of an answer, or a photo."""
        call = calls.explain(
            shown,
            class_id=class_id,
            versus=versus,
            edits="true" if edits else None,
            limit=limit,
            gamma=gamma,
            find=find,
            space=space,
            min_revision=min_revision,
            as_of=as_of,
        )
        return self._ask(call)

    def heat_map(
        self,
        photo: Photo,
        *,
        class_id: str | None = None,
        versus: str | None = None,
        attribute: str | None = None,
        find: bool = True,
        space: str = DEFAULT_SPACE,
    ) -> bytes:
        """A PNG of where in the photo a class, its difference to `versus`, or an attribute is seen."""
        call = calls.heat_map(photo, class_id=class_id, versus=versus, attribute=attribute, find=find, space=space)
        return self._ask(call).data

    def attributes(self) -> Schema:
        """The attributes that classes are described with."""
        return self._ask(calls.attributes())

    def model(self) -> ModelAnswer:
        """The model in work: its calibration, and what is known of its training."""
        return self._ask(calls.model())

    def swap_model(self, bundle: str) -> SwappedModel:
        """Serve another bundle of the service's folder of bundles, without a pause; needs the scope admin."""
        return self._ask(calls.swap_model(bundle))

    def calibration(self, *, gamma: float | None = None, space: str = DEFAULT_SPACE) -> CalibrationState:
        """The labelled photos of a space, and the coverage they are enough for."""
        return self._ask(calls.calibration("GET", space, gamma))

    def calibrate(
        self, labelled: Mapping[str, str], *, append: bool = False, space: str = DEFAULT_SPACE
    ) -> CalibrationState:
        """Tell the class of photos classified before: `image_id` -> `class_id`."""
        return self._ask(calls.calibrate(labelled, append, space))

    def forget_calibration(self, *, space: str = DEFAULT_SPACE) -> CalibrationState:
        """Forget the labelled photos of a space."""
        return self._ask(calls.calibration("DELETE", space))

    def add_class(self, new: NewClass, *, dry_run: bool = False, space: str = DEFAULT_SPACE) -> StoredClass:
        """Register a class; a dry run only says how the description would be understood."""
        return self._ask(class_calls.add_class(new, dry_run, space))

    def replace_class(self, new: NewClass, *, if_match: str | None = None, space: str = DEFAULT_SPACE) -> ChangedClass:
        """Store a class, new or in place of the one with its id; with `if_match` (an `etag`) only of that version."""
        return self._ask(class_calls.replace_class(new, if_match, space))

    def update_class(
        self, class_id: str, change: ClassChange, *, if_match: str | None = None, space: str = DEFAULT_SPACE
    ) -> ChangedClass:
        """Change what `change` names; a seen class can be relabelled or hidden."""
        return self._ask(class_calls.update_class(class_id, change, if_match, space))

    def get_class(
        self,
        class_id: str,
        *,
        space: str = DEFAULT_SPACE,
        min_revision: int | None = None,
        as_of: int | None = None,
    ) -> ClassDetail:
        """One class with all its attributes."""
        call = class_calls.get_class(class_id, space=space, min_revision=min_revision, as_of=as_of)
        return self._ask(call)

    def delete_class(self, class_id: str, *, if_match: str | None = None, space: str = DEFAULT_SPACE) -> DeletedClass:
        """Delete a registered class."""
        return self._ask(class_calls.delete_class(class_id, if_match, space))

    def class_page(
        self,
        *,
        seen: bool | None = None,
        hidden: bool = False,
        q: str | None = None,
        limit: int = PAGE,
        offset: int = 0,
        space: str = DEFAULT_SPACE,
        as_of: int | None = None,
    ) -> ClassPage:
        """One page of classes, seen ones first; `hidden` asks for the seen ones that the space leaves out instead.

        `q` is looked for in labels and ids, upper case or not.
        """
        call = class_calls.list_classes(seen, hidden, q=q, limit=limit, offset=offset, space=space, as_of=as_of)
        return self._ask(call)

    def classes(
        self, *, seen: bool | None = None, page: int = PAGE, space: str = DEFAULT_SPACE, one_revision: bool = False
    ) -> Iterator[ClassSummary]:
        """All classes, fetched `page` at a time as they are needed; see Pager for `one_revision`."""
        pager = Pager(one_revision=one_revision)
        while pager.more:
            yield from pager.take(self.class_page(seen=seen, limit=page, offset=pager.offset, space=space))

    def import_classes(
        self, classes: Path | Iterable[NewClass], *, replace: bool = False, space: str = DEFAULT_SPACE
    ) -> Imported:
        """Store all of these classes under one revision, or none: a file (.jsonl, .csv) as it is, or classes.

        An id that exists is refused, or replaced when `replace` says so. Raises BadRequest and Conflict, whose
        `problem.bad_rows` names the rows that are at fault.
        """
        return self._ask(class_calls.import_classes(classes, replace, space))

    def export_classes(self, *, kind: FileKind = "jsonl", space: str = DEFAULT_SPACE) -> bytes:
        """All registered classes at one revision as a file that `import_classes` takes, degrees exact."""
        return self._ask(class_calls.export_classes(kind, space)).data

    def spaces(self) -> list[SpaceSummary]:
        """All class spaces by name."""
        return self._ask(class_calls.spaces()).spaces

    def get_space(self, name: str) -> SpaceSummary:
        """What the store says of a class space."""
        return self._ask(class_calls.get_space(name))

    def add_space(self, name: str, *, label: str = "", copy_of: str | None = None) -> ChangedSpace:
        """Make an empty class space, or a copy of another."""
        return self._ask(class_calls.add_space(name, label, copy_of))

    def change_space(self, name: str, *, gamma: float | None) -> SpaceSettings:
        """Set γ of a space's answers, or with None take the model's again."""
        return self._ask(class_calls.change_space(name, gamma))

    def delete_space(self, name: str) -> ChangedSpace:
        """Delete a class space with all its classes."""
        return self._ask(class_calls.delete_space(name))

    def log(self, *, before: int | None = None, limit: int = 100, space: str = DEFAULT_SPACE) -> list[LoggedWrite]:
        """Who changed what in a space, and when, newest first; `before` is a revision to go on from."""
        return self._ask(class_calls.log(before, limit, space)).entries

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _ask(self, call: Call[Reply]) -> Reply:
        steps = exchange(call, self._retries, self.server)
        try:
            step = next(steps)
            while True:
                if isinstance(step, Wait):
                    time.sleep(step.seconds)
                    step = steps.send(None)
                else:
                    step = steps.send(self._send(call))
        except StopIteration as done:
            reply: Reply = done.value
            return reply

    def _send(self, call: Call[Reply]) -> Outcome:
        try:
            answer = self._http.request(**call.arguments())
        except httpx.TransportError as error:
            return broken(error)
        return Received(answer.status_code, answer.headers, answer.content)
