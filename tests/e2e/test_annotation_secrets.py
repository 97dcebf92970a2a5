"""Nothing of the annotation, upload and weights folders leaves through any route of the server."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from adaclip.annotations.store import AnnotationStore
from tests.demo.stub import stub_services
from tests.e2e.conftest import launch

SECRET = b"a-secret-of-the-line"
USER = {"username": "ann", "password": "pass word"}


@pytest.fixture(params=[False, True], ids=["open", "password"])
def guarded_page(request, tmp_path: Path, served) -> Iterator:
    """A page over folders that each hold a secret; with a password and without."""
    folders = [tmp_path / name for name in ("annotations", "weights", "runs")]
    for folder in folders:
        for path in (folder / "masks" / "secret.png", folder / "secret.csv"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(SECRET)
    services = stub_services(
        served.services.store.folder, annotations=AnnotationStore(folders[0]), run_roots=()
    )
    page = launch(
        services,
        auth=(USER["username"], USER["password"]) if request.param else None,
        weights_folder=folders[1],
        private=[folders[0], folders[2]],
    )
    yield page, [path for folder in folders for path in folder.rglob("secret.*")], request.param
    page.close(verbose=False)


def spellings(path: Path) -> list[str]:
    """Ways to name a file in an address."""
    up = "../" * 12 + str(path).lstrip("/")
    plain = [str(path), up, f"{path.parent}/./{path.name}", f"/proc/self/root{path}"]
    return [*plain, quote(str(path), safe=""), quote(quote(up, safe="")), up.replace(".", "%2e")]


def addresses(page, path: Path) -> Iterator[str]:
    """Every route that takes a parameter, with the file in place of each; and queries."""
    for route in page.app.routes:
        template = getattr(route, "path", "")
        if "GET" not in (getattr(route, "methods", None) or ()) or "heartbeat" in template:
            continue
        for spelling in spellings(path):
            if "{" in template:
                yield re.sub(r"\{[^}]*\}", lambda _, put=spelling: put, template)
        if "queue/data" not in template and "{" not in template:
            yield f"{template}?path={quote(str(path))}&file={quote(str(path))}&url=file://{path}"
    for prefix in ("/file=", "/file/", "/gradio_api/file=", "/static/", "/assets/", "/"):
        yield from (prefix + spelling for spelling in spellings(path))


def test_no_route_gives_a_file_of_the_private_folders(guarded_page):
    page, secrets, password = guarded_page
    url = page.local_url.rstrip("/")
    tried = 0
    with httpx.Client(timeout=30) as client:
        for signed_in in (False, True) if password else (True,):
            if signed_in and password:
                assert client.post(f"{url}/login", data=USER).is_success
            for path in secrets[:2] if not signed_in else secrets:
                for address in addresses(page, path):
                    with client.stream("GET", url + "/" + address.lstrip("/")) as answer:
                        body = next(answer.iter_bytes(4096), b"")
                    assert SECRET not in body, address
                    tried += 1
    assert tried > 200


def test_a_file_named_in_the_data_of_an_event_is_not_read(guarded_page):
    page, secrets, password = guarded_page
    url = page.local_url.rstrip("/")
    session = uuid.uuid4().hex
    with httpx.Client(timeout=30) as client:
        if password:
            body = {"fn_index": 0, "data": [], "session_hash": session}
            assert client.post(f"{url}/gradio_api/queue/join", json=body).status_code == 401
            assert client.get(f"{url}/config").status_code == 401
            assert client.post(f"{url}/login", data=USER).is_success
        config = client.get(f"{url}/config").json()
        takers = {c["id"] for c in config["components"] if c["type"] == "uploadbutton"}
        events = [d for d in config["dependencies"] if takers & set(d["inputs"])]
        assert events
        named = {"path": str(secrets[0]), "meta": {"_type": "gradio.FileData"}}
        for event in events:
            data = [named if place in takers else "" for place in event["inputs"]]
            body = {
                "fn_index": event["id"],
                "data": data,
                "session_hash": session,
                "event_data": {"choice": "FP", "annotator": "ann", "region": named},
            }
            assert client.post(f"{url}/gradio_api/queue/join", json=body).is_success
            with client.stream(
                "GET", f"{url}/gradio_api/queue/data?session_hash={session}"
            ) as told:
                lines = [json.loads(line[6:]) for line in told.iter_lines() if line[:6] == "data: "]
            [done] = [line for line in lines if line["msg"] == "process_completed"]
            assert not done["success"], done
            assert SECRET.decode() not in json.dumps(lines)
            assert str(secrets[0].parent) not in json.dumps(lines)
