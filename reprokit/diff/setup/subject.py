"""What was evaluated, and on what, as facts: models and datasets by revision, and by the bytes of their files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from reprokit.bundle.record import Server, SubjectFile, SubjectPart
from reprokit.bundle.values import Json, Unknown
from reprokit.diff.setup.facts import WHOLE_AREA, Fact, table
from reprokit.diff.setup.places import Places


def subject_facts(
    area: str, parts: list[SubjectPart], others: list[SubjectPart], where: tuple[Places, Places]
) -> Iterator[Fact]:
    """Tell one side's models or datasets.

    Args:
        area: `models` or `datasets`.
        parts: this side's.
        others: the other side's. What only one side has is told by its name alone.
        where: the places of this side and of the other.
    """
    if others and not parts:
        yield Fact(area=area, name=WHOLE_AREA, value=Unknown(unknown=f"the record names no {area}"))
    twins = dict(_named(others, parts, where[1]))
    for name, part in _named(parts, others, where[0]):
        twin = twins.get(name)
        if twin is None:
            known = not isinstance(part.revision, Unknown)
            yield Fact(area=area, name=name, value=part.revision if known else "of no known revision")
            continue
        yield Fact(area=area, name=name, value=part.revision)
        yield from table(area, part.extra, f"{name}, ")
        yield from _files(area, name, part, twin)
        for text in part.texts:
            yield Fact(area=area, name=f"{name}, {text.kind} of {text.file or text.learnt_from}", value=text.digest)
        if part.server is not None:
            yield from _server(area, name, part.server)


def _named(parts: list[SubjectPart], others: list[SubjectPart], where: Places) -> Iterator[tuple[str, SubjectPart]]:
    repeated = {name for side in (parts, others) for name, count in Counter(p.name for p in side).items() if count > 1}
    for part in parts:
        # A model's name may be the path of its folder; the same folder in another checkout is the same model's.
        name, _ = where.named(part.name)
        if part.name in repeated:
            # Such as `json`, the name of all datasets that are files: told apart by the tasks that use them.
            name = f"{name} for {', '.join(part.tasks)}"
        yield name, part


def _files(area: str, name: str, part: SubjectPart, twin: SubjectPart) -> Iterator[Fact]:
    """Tell the files by their bytes. When they were written is noise, and so is what another revision holds."""
    if not part.files and not twin.files:
        return
    if not part.files or not twin.files:
        seen: Json = "listed" if part.files else Unknown(unknown="no files of it were found")
        yield Fact(area=area, name=f"{name}, files", value=seen, depends_on=name)
        return
    for file in part.files:
        yield Fact(area=area, name=f"{name}, file {file.path}", value=_bytes(file), depends_on=name)
    if part.files_left_out:
        more = Unknown(unknown=f"{part.files_left_out} more are not listed")
        yield Fact(area=area, name=f"{name}, further files", value=more, depends_on=name)


def _bytes(file: SubjectFile) -> Json:
    return Unknown(unknown=file.reason or "its bytes were not read") if file.digest is None else file.digest


def _server(area: str, name: str, server: Server) -> Iterator[Fact]:
    """Tell what a server said that bears on its answers; when it was asked is noise, its address is an option's."""
    yield Fact(area=area, name=f"{name}, server version", value=server.version)
    if isinstance(server.asked, Unknown):
        return
    yield Fact(area=area, name=f"{name}, server software", value=server.software)
    for model in [] if isinstance(server.models, Unknown) else server.models:
        yield Fact(area=area, name=f"{name}, server model {model.name}", value=[model.root, model.longest])
    yield from table(area, server.facts, f"{name}, server ")
