"""A hub of one's own: `hub_server.py FOLDER LOG`; prints its address.

FOLDER/models/org/name/ and FOLDER/datasets/org/name/ hold a folder for each commit, with its files, and a file `main`
that names the newest. A file `key` beside them is what one must show to be let in. LOG gets a line for each question.
"""

from __future__ import annotations

import hashlib
import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

LARGE = (".safetensors", ".parquet")


class Hub(BaseHTTPRequestHandler):
    """Serves what the Hugging Face client asks to fetch a snapshot, or single files of one."""

    protocol_version = "HTTP/1.1"
    folder: Path
    log: Path

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        with self.log.open("a") as log:
            log.write(f"{self.command} {path}\n")
        words = path.strip("/").split("/")
        if words[0] == "api" and len(words) >= 4:
            self.api(words[1], "/".join(words[2:4]), words[4:])
        elif words[0] == "datasets" and "resolve" in words:
            self.file("datasets", "/".join(words[1:3]), words[4], "/".join(words[5:]))
        elif "resolve" in words:
            self.file("models", "/".join(words[:2]), words[3], "/".join(words[4:]))
        else:
            self.refuse(404, "RepoNotFound")

    do_HEAD = do_GET  # noqa: N815 - what the server looks for

    def commit(self, kind: str, name: str, revision: str) -> Path | None:
        """Find the folder of a commit; answers the question itself when there is none."""
        repository = self.folder / kind / name
        if not repository.is_dir():
            self.refuse(401, "RepoNotFound")
            return None
        key = repository / "key"
        if key.exists() and self.headers.get("Authorization") != f"Bearer {key.read_text()}":
            self.refuse(401, "GatedRepo")
            return None
        main = (repository / "main").read_text()
        folder = repository / (main if revision == "main" else revision)
        if not folder.is_dir():
            self.refuse(404, "RevisionNotFound")
            return None
        return folder

    def api(self, kind: str, name: str, words: list[str]) -> None:
        folder = self.commit(kind, name, words[1] if len(words) > 1 else "main")
        if folder is None:
            return
        if words[:1] == ["tree"]:
            below = "/".join(words[2:])
            self.answer(json.dumps([each for each in self.entries(folder) if each["path"].startswith(below)]).encode())
        else:
            siblings = [{"rfilename": each["path"]} for each in self.entries(folder)]
            told = {"id": name, "sha": folder.name, "siblings": siblings, "private": False, "tags": [], "downloads": 0}
            self.answer(json.dumps(told).encode())

    def entries(self, folder: Path) -> list[dict[str, Any]]:
        found = []
        for file in sorted(each for each in folder.rglob("*") if each.is_file()):
            data = file.read_bytes()
            entry: dict[str, Any] = {"type": "file", "path": file.relative_to(folder).as_posix(), "size": len(data)}
            entry["oid"] = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
            if file.name.endswith(LARGE):
                entry["lfs"] = {"oid": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 130}
            found.append(entry)
        return found

    def file(self, kind: str, name: str, revision: str, path: str) -> None:
        folder = self.commit(kind, name, revision)
        if folder is None:
            return
        found = next((each for each in self.entries(folder) if each["path"] == path), None)
        if found is None:
            self.refuse(404, "EntryNotFound", commit=folder.name)
            return
        etag = found.get("lfs", found)["oid"]
        self.answer((folder / path).read_bytes(), ETag=f'"{etag}"', **{"X-Repo-Commit": folder.name})

    def refuse(self, status: int, code: str, commit: str | None = None) -> None:
        self.answer(b"", status, **{"X-Error-Code": code}, **({"X-Repo-Commit": commit} if commit else {}))

    def answer(self, body: bytes, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def main() -> None:
    Hub.folder, Hub.log = Path(sys.argv[1]), Path(sys.argv[2])
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    print(f"http://127.0.0.1:{server.server_address[1]}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
