"""A folder served to whoever shows a name and a password: `guarded_shelf.py FOLDER NAME:PASSWORD`; prints its address."""

from __future__ import annotations

import base64
import sys
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer


class Guarded(SimpleHTTPRequestHandler):
    """Refuses everybody else."""

    def __init__(self, *words: object) -> None:
        super().__init__(*words, directory=sys.argv[1])

    def do_GET(self) -> None:
        if self.headers.get("Authorization") == "Basic " + base64.b64encode(sys.argv[2].encode()).decode():
            super().do_GET()
        else:
            self.send_error(401)

    def log_message(self, *_: object) -> None:
        pass


def main() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Guarded)
    print(f"127.0.0.1:{server.server_address[1]}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
