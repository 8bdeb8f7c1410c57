"""Doing the reading here, or through any `concurrent.futures.Executor`: each bundle once, whatever dies on the way."""

from __future__ import annotations

import itertools
import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from reprokit.audit.reading import Read, Work, read
from reprokit.audit.statements import outcome
from reprokit.bundle.finding import finding
from reprokit.errors import InputMissingError, RemoteError
from reprokit.package_indexes import how_to_install

Executors = Callable[[], AbstractContextManager[Executor]]
"""Makes an executor to be used for the length of a block; after it broke, it is asked for another."""


def here(work: Iterable[Work]) -> Iterator[Read]:
    """Do the reading in this process, a bundle at a time; the files of each are digested by several threads."""
    return map(read, work)


def spread(work: Iterable[Work], executors: Executors, *, most: int) -> Iterator[Read]:
    """Do the reading through an executor, and yield each bundle's as it is done.

    What was under way when the executor broke is done again, a bundle at a time and each in an executor of its own, so
    that one that kills whoever reads it is found, and costs no other its turn.

    Args:
        work: what is to be done; no more of it is taken than is handed out.
        executors: makes an executor.
        most: how much is handed out at a time.
    """
    left = iter(work)
    while True:
        lost = yield from _until_it_breaks(left, executors, most)
        if lost is None:
            return
        for each in lost:
            yield _alone(each, executors)


def _until_it_breaks(work: Iterator[Work], executors: Executors, most: int) -> Any:
    """Yield what is done, and return what was lost when the executor broke; `None` when all is done."""
    waiting: dict[Future[Read], Work] = {}
    with executors() as executor:
        try:
            while True:
                for each in itertools.islice(work, most - len(waiting)):
                    waiting[executor.submit(read, each)] = each
                if not waiting:
                    return None
                for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                    yield _result(future, waiting[future])
                    del waiting[future]
        except BrokenProcessPool:
            return list(waiting.values())
        finally:
            for future in waiting:
                future.cancel()


def _result(future: Future[Read], work: Work) -> Read:
    try:
        return future.result()
    except BrokenProcessPool:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a cluster makes of a lost worker
        return _unfinished(work, f"{type(error).__name__}: {error}")


def _alone(work: Work, executors: Executors) -> Read:
    with executors() as executor:
        try:
            return _result(executor.submit(read, work), work)
        except BrokenProcessPool:
            return _unfinished(work, "the process that read it ended, twice")


def _unfinished(work: Work, why: str) -> Read:
    found = outcome("fixity", [finding("E490", work.bundle, why)])
    return Read(bundle=work.bundle, read="nothing", outcomes=[found])


def processes(count: int) -> Executors:
    """Make executors of that many processes of this machine."""

    def make() -> AbstractContextManager[Executor]:
        # Started anew: what threads hold in this process must not be there a second time.
        return ProcessPoolExecutor(count, mp_context=multiprocessing.get_context("spawn"))

    return make


def given(executor: Executor) -> Executors:
    """Use an executor that somebody else made, and will end."""
    return lambda: nullcontext(executor)


@contextmanager
def dask_cluster(address: str, *, patience: float) -> Iterator[tuple[Executors, int]]:
    """Use a Dask cluster that is there; gives how to reach it, and how many threads its workers have.

    Its workers must see the archive under the same path, and have reprokit installed. A worker that dies costs nothing:
    the scheduler gives its work to others.

    Raises:
        InputMissingError: `distributed` is not installed.
        RemoteError: no cluster answers there.
    """
    try:
        from distributed import Client  # noqa: PLC0415 - an extra, and heavy
    except ImportError as error:
        raise InputMissingError(
            "`--dask` needs `distributed`, which is not installed beside reprokit",
            hint=how_to_install("dask"),
        ) from error
    try:
        client: Any = Client(address, timeout=patience, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, ValueError, TimeoutError) as error:
        raise RemoteError(f"no Dask cluster answers at `{address}`: {error}", hint="see its scheduler") from error
    try:
        threads = sum(client.nthreads().values())
        yield given(client.get_executor(pure=False)), max(1, threads)
    finally:
        client.close()
