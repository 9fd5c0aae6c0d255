"""Learning and forgetting: the memory says what, the model file follows it.

A lesson is written down first and learnt then. A model that is behind (its writer was killed between the two) learns
the rest at the next occasion. One is *stale* whose memory has forgotten something, or has so much new that all must be
mixed again (`order`): it is made anew from the base and the lessons that are there, and so is the same as if those that
are not had never been. That may take a while and happens beside the readers and, but for its end, beside other writers;
until then the model holds what it held and what is new. The last lesson is taken back at once.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final, TypeAlias

import msgspec
import numpy as np

from filterd.classifier.base import BaseError, fresh, read_base, remove_others, write_base
from filterd.classifier.features import EARLIER, FORMAT
from filterd.classifier.lesson import Lesson
from filterd.classifier.memory import BASE, FEATURES, HELD, MANY, REVISION, UNDO, Became, Change, LessonMemory
from filterd.classifier.modelfile import NAME, Half, Known, ModelFileError, ModelWriter
from filterd.classifier.order import Entry, mixed, point
from filterd.classifier.pupil import Pupil, Undo, take_back
from filterd.classifier.writing import make_folder, writing

REMEMBERED: Final = 256 * 1024 * 1024  # bytes of features that are kept to learn anew from
TOLD: Final = 200  # lessons between two words about progress
_LEFT: Final = 0.8  # of that: what is left when the oldest have become part of the base

Progress: TypeAlias = Callable[[int, int], None]  # lessons done, and of how many
Note: TypeAlias = Callable[[Change], None]


def _silent(_done: int, _all: int) -> None:
    """Tell nobody."""


def _told(progress: Progress, of: int, done: int) -> None:
    """Say how many are done of a number that is known."""
    progress(done, of)


def _nothing(_: Change) -> None:
    """Write nothing along."""


class Learner:
    """The model with its memory, for whoever learns. Nothing is kept open between calls but the memory."""

    def __init__(self, folder: Path, *, remembered: int = REMEMBERED) -> None:
        """`folder` is made where it is not there. OSError."""
        make_folder(folder)
        self.folder = folder
        self.memory = LessonMemory(folder)
        self._remembered = remembered

    def close(self) -> None:
        """Close the memory."""
        self.memory.close()

    def ensure(self) -> str:
        """Have a model file that readers can map, and a memory of this release's features. OSError.

        Says in words what was wrong, empty where nothing was; the model knows nothing then, until `rebuild`.
        """
        with writing(self.folder):
            model = ModelWriter(self.folder / NAME)
            trouble = model.replaced or ("" if model.whole() else "the model was damaged")
            with self.memory.changing() as change:
                if change.number(FEATURES) != FORMAT:
                    if change.last() and change.number(FEATURES) not in EARLIER:
                        trouble = "another release has learnt here: what it remembers is of no use, learn it again"
                        change.clear()
                    change.put(FEATURES, FORMAT)
                if trouble:
                    change.put(REVISION, change.number(REVISION) + 1)
                last, revision = change.last(), change.number(REVISION)
            if trouble:
                half = model.prepare()
                half.weights[:] = 0
                half.layer[:] = 0
                model.commit(Known(applied=last, revision=revision - 1))
            return trouble

    def prepare(self) -> str:
        """`ensure`, and have the model know what is remembered."""
        trouble = self.ensure()
        with writing(self.folder):
            self._follow()
        self.settle()
        return trouble

    def learn(self, lessons: Sequence[Lesson], note: Note = _nothing) -> list[Became]:
        """Write lessons down and learn them; what became of each. `note` writes along in the same transaction.

        The model may be `stale` afterwards.
        """
        with writing(self.folder):
            with self.memory.changing() as change:
                before = point(change.number(MANY))
                became = [change.add(lesson) for lesson in lessons]
                if point(change.number(MANY)) != before:
                    change.put(REVISION, change.number(REVISION) + 1)
                note(change)
            self._follow()
            return became

    def forget(self, digests: Sequence[bytes], note: Note = _nothing) -> list[Became]:
        """Forget messages. Where the last lesson is the only one, the model is as before it; else see `rebuild`."""
        with writing(self.folder):
            with self.memory.changing() as change:
                last, revision = change.last(), change.number(REVISION)
                became = [change.forget(digest) for digest in digests]
                taken = change.number(REVISION) - revision
                back = change.blob(UNDO) if taken == 1 and last != change.last() else b""
                if taken:
                    change.put(UNDO, b"")
                note(change)
            if back:
                self._take_back(msgspec.msgpack.decode(back, type=Undo), last, revision)
            return became

    @property
    def stale(self) -> bool:
        """Whether the model holds what has been forgotten."""
        with writing(self.folder):
            known = self._known(ModelWriter(self.folder / NAME))
            with self.memory.looking() as look:
                return known is None or look.number(REVISION) != known.revision

    def settle(self, progress: Progress = _silent) -> None:
        """Make the model anew where it is stale."""
        if self.stale:
            self.rebuild(progress)

    def rebuild(self, progress: Progress = _silent) -> Known:
        """Make the model anew from what is remembered, and put it in its place at once.

        Others may write meanwhile: what they learn is learnt here too, and where it makes the model stale again it is
        begun anew.
        """
        while True:
            with self.memory.looking() as look:
                revision, base, many = look.number(REVISION), look.number(BASE), look.number(MANY)
                first = look.oldest(point(many))
            half, known = self._base(base)
            pupil = Pupil(half, replace(known, applied=base, revision=revision))
            self._study(pupil, first, partial(_told, progress, many))
            self._replay(pupil)
            progress(many, many)
            with writing(self.folder):
                with self.memory.looking() as look:
                    if (look.number(REVISION), look.number(BASE)) != (revision, base):
                        continue
                self._replay(pupil)
                model = ModelWriter(self.folder / NAME)
                idle = model.prepare()
                np.copyto(idle.weights, half.weights)
                np.copyto(idle.layer, half.layer)
                known = model.commit(pupil.known)
                with self.memory.changing() as change:
                    change.put(UNDO, pupil.undo)
                return known

    def _study(self, pupil: Pupil, entries: Sequence[Entry], progress: Callable[[int], None]) -> None:
        """Learn these, the oldest, in mixed order; the pupil then stands behind the last of them."""
        for done, row in enumerate(self.memory.chosen(mixed(entries)), 1):
            pupil.learn(row)
            if done % TOLD == 0:
                progress(done)
        if entries:
            pupil.known = replace(pupil.known, applied=entries[-1][0])
        pupil.undo = b""

    def _replay(self, pupil: Pupil) -> None:
        """Learn what is behind where the pupil stands, as it came."""
        for rows in self.memory.lessons(pupil.known.applied):
            for row in rows:
                pupil.learn(row)

    def _follow(self) -> None:
        """Learn what has been written down and not been learnt. The caller holds the lock."""
        model = ModelWriter(self.folder / NAME)
        with self.memory.looking() as look:
            last, held = look.last(), look.number(HELD)
        known = self._known(model)
        if known is not None and known.applied < last:
            pupil = Pupil(model.prepare(), known)
            self._replay(pupil)
            model.commit(pupil.known)
            with self.memory.changing() as change:
                change.put(UNDO, pupil.undo)
        if held > self._remembered:
            self._make_base()

    def _take_back(self, undo: Undo, last: int, revision: int) -> None:
        """Undo the model's last lesson, where the model stands where the memory stood."""
        model = ModelWriter(self.folder / NAME)
        known = self._known(model)
        if known is None or (undo.number, known.applied, known.revision) != (last, last, revision):
            return
        known = take_back(model.prepare(), known, undo)
        model.commit(replace(known, revision=revision + 1))

    def _make_base(self) -> None:
        """The oldest lessons become part of the base: a fifth of what may be remembered is free again."""
        with self.memory.looking() as look:
            base, held, many = look.number(BASE), look.number(HELD), look.number(MANY)
            entries = look.oldest(round(many * (1 - self._remembered * _LEFT / held)))
        half, known = self._base(base)
        pupil = Pupil(half, known)
        self._study(pupil, entries, lambda _: None)
        last = entries[-1][0]
        write_base(self.folder, last, half, pupil.known)
        with self.memory.changing() as change:
            change.settle(last)
        remove_others(self.folder, last)

    def _base(self, last: int) -> tuple[Half, Known]:
        """The base; an empty one where it is lost: better what is left than nothing."""
        try:
            return read_base(self.folder, last)
        except BaseError:
            return fresh(), Known()

    @staticmethod
    def _known(model: ModelWriter) -> Known | None:
        """The facts about the model as it is, None where they are damaged: it must be made anew."""
        try:
            return model.known()
        except ModelFileError:
            return None
