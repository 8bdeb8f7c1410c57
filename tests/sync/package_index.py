"""A package index of one's own: `package_index.py FOLDER LOG`; prints its address.

FOLDER/<name>/ holds the files of a package; a file `broken` there makes the index fail for that package. LOG gets a line
for each package that somebody asks for.
"""

from __future__ import annotations

import hashlib
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Index(BaseHTTPRequestHandler):
    """Serves pages of links with digests (PEP 503), and the files."""

    folder: Path
    log: Path

    def do_GET(self) -> None:
        _, _, name, *file = self.path.split("/")
        path = self.folder / name
        if file and file[0]:
            self.answer(200, (path / file[0]).read_bytes())
            return
        with self.log.open("a") as log:
            log.write(name + "\n")
        if (path / "broken").exists():
            self.answer(500, b"")
        elif not path.is_dir():
            self.answer(404, b"")
        else:
            links = (self.link(each) for each in sorted(path.iterdir()))
            self.answer(200, f"<!DOCTYPE html><html><body>{''.join(links)}</body></html>".encode())

    def link(self, file: Path) -> str:
        return f'<a href="{file.name}#sha256={hashlib.sha256(file.read_bytes()).hexdigest()}">{file.name}</a>'

    def answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def main() -> None:
    Index.folder, Index.log = Path(sys.argv[1]), Path(sys.argv[2])
    server = ThreadingHTTPServer(("127.0.0.1", 0), Index)
    print(f"http://127.0.0.1:{server.server_address[1]}/simple", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
