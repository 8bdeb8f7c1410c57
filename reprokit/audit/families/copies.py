"""Copies: where a whole copy of a bundle is known to be, and whether that is what the policy asks for.

The bundle and the objects that DVC keeps of it here are one copy, whether they share their bytes or not: one disk, one
loss. A remote or mirror counts when it answered, and what it answered fits; that which did not is counted apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from reprokit.audit.copies_elsewhere import mirrors, remotes
from reprokit.audit.copies_elsewhere.opening import Copies
from reprokit.audit.copies_elsewhere.wanted import wanted
from reprokit.audit.held import Held
from reprokit.audit.policy import Policy
from reprokit.audit.statements import Fact, NotKnown, Statement
from reprokit.bundle.finding import Finding, finding
from reprokit.errors import ReprokitError

HERE = "here"
_ALL = "copies"
_READ = "every byte"  # stands in what is told of a copy that was read whole
_NO_POINTER = "the pointer, which tells what it should hold, is damaged"


def check(
    held: Held, copies: Copies, policy: Policy, *, here_whole: bool | None, pointer_good: bool = True
) -> Iterator[Statement]:
    """Say where copies of a bundle are, and whether they are enough.

    Args:
        held: the bundle.
        copies: the remotes and mirrors of its archive.
        policy: what is asked for.
        here_whole: whether every byte of the copy here is known to be what was captured; `None` when it was not read.
        pointer_good: whether the pointer, which tells what copies should hold, is the one that was registered.
    """
    told = _elsewhere(held, copies, here_whole=here_whole) if pointer_good else _unknown(copies, _NO_POINTER)
    found = [_here(held, here_whole=here_whole), *told]
    for statements in found:
        yield from statements
    yield from _enough(found, policy.copies or 1)  # that there is one at all is asked by whoever asks nothing else


def counted(statements: Iterable[Statement], *, read: bool = False) -> list[str]:
    """List the places that are known to hold a whole copy (`here`, `remote nas`, `mirror wandb`).

    Args:
        statements: what `check` said of one bundle, or only the facts of it.
        read: only those of which every byte was read; else also those that were compared by name and size.
    """
    facts = [each for each in statements if isinstance(each, Fact)]
    return sorted({each.where for each in facts if not read or _READ in each.told})


def _here(held: Held, *, here_whole: bool | None) -> list[Statement]:
    if not held.here or here_whole is False:
        return []  # that it is not here, or damaged, is told by its fixity
    if here_whole is None:
        return [NotKnown(where=HERE, because="not every byte of it was read")]
    return [Fact(where=HERE, told="every byte was what was captured when it was last read")]


def _elsewhere(held: Held, copies: Copies, *, here_whole: bool | None) -> Iterator[Sequence[Statement]]:
    try:
        objects = wanted(held, whole=here_whole is True and held.here)
    except (ReprokitError, OSError) as error:
        reason = error.message if isinstance(error, ReprokitError) else str(error)
        yield from _unknown(copies, f"nobody can tell what it should hold: {reason}")
        return
    for remote in copies.remotes:
        pushed = copies.told.pushed(held.id, remote.remote.address) if remote.remote is not None else None
        yield remotes.look(remote, objects, pushed=pushed)
    pointer = objects.pointer
    yield from mirrors.look(copies.mirrors, held.id, pointer.identity, pointer.nfiles, pointer.size)


def _unknown(copies: Copies, because: str) -> Iterator[Sequence[Statement]]:
    yield from ([NotKnown(where=remote.place, because=because)] for remote in copies.remotes)
    yield from mirrors.unknown(copies.mirrors, because)


def _enough(found: Iterable[Sequence[Statement]], asked: int) -> Iterator[Finding | NotKnown]:
    """Count the copies; one of which there is something to find is none, and one of which nobody knows may be one."""
    whole: list[str] = []
    unknown: list[str] = []
    for statements in found:
        if any(isinstance(each, Finding) for each in statements):
            continue
        unknown += dict.fromkeys(each.where for each in statements if isinstance(each, NotKnown))
        whole += counted(statements)
    if len(whole) >= asked:
        return
    named = f" ({', '.join(whole)})" if whole else ""
    told = f"{len(whole)} of {asked}{named}"
    doubt = f"nothing is known of {', '.join(unknown)}"
    if len(whole) + len(unknown) >= asked:
        yield NotKnown(where=_ALL, because=f"there are {told}, and {doubt}")
    else:
        yield finding("W401", _ALL, f"{told}; {doubt}" if unknown else told)
