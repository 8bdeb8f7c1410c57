"""A server that speaks the protocol of W&B, for the tests: `python tests/wandb_server --port 0 --port-file FILE`.

It listens on 127.0.0.1 only. `--admin` is a socket in the file system at which `/admin/…` can be asked as well; what the
server holds is read from `--state` at the start and written there when it is asked to end (SIGTERM).
"""

from __future__ import annotations

import argparse
import os
import pickle
import signal
import sys
import threading
from pathlib import Path

from faults import Faults
from web import AdminServer, Server
from world import World


def main() -> None:
    arguments = _arguments()
    state: Path | None = arguments.state
    if state is not None and state.exists():
        world: World = pickle.loads(state.read_bytes())
    else:
        world = World(key=arguments.key, viewer=arguments.viewer, teams=arguments.team)
    server = Server(arguments.port, world, Faults())
    over = threading.Event()
    # Waited for by a thread: a handler could interrupt the very call that it has to wake, and wait for it for ever.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    threading.Thread(target=_wait_for_request_to_end, args=(over,), daemon=True).start()
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 60}, daemon=True).start()
    if arguments.admin:
        admin = AdminServer(arguments.admin, server)
        threading.Thread(target=admin.serve_forever, kwargs={"poll_interval": 60}, daemon=True).start()
    if arguments.port_file:
        _write(arguments.port_file, str(server.server_address[1]).encode())
    if arguments.with_parent:
        threading.Thread(target=_wait_for_parent, args=(over,), daemon=True).start()
    over.wait()
    if state is not None:
        with server.lock:
            _write(state, pickle.dumps(world))
    os._exit(0)


def _wait_for_request_to_end(over: threading.Event) -> None:
    signal.sigwait({signal.SIGTERM})
    over.set()


def _wait_for_parent(over: threading.Event) -> None:
    sys.stdin.read()
    over.set()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0, help="0 (the default) for any that is free")
    parser.add_argument("--port-file", type=Path, help="where the port is written once it listens")
    parser.add_argument("--admin", help="a socket in the file system for the tests' own questions")
    parser.add_argument("--state", type=Path, help="where what it holds is kept from one start to the next")
    parser.add_argument("--key", default="local" + "0" * 40, help="the one key that it lets in")
    parser.add_argument("--viewer", default="ada", help="whose key it is; also an entity")
    parser.add_argument("--team", action="append", default=[], help="another entity; may be given again")
    parser.add_argument("--with-parent", action="store_true", help="end when standard input does")
    return parser.parse_args()


def _write(path: Path, content: bytes) -> None:
    temporary = path.with_name(path.name + ".new")
    temporary.write_bytes(content)
    temporary.replace(path)


if __name__ == "__main__":
    main()
