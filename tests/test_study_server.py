"""The server of a study: three routes, and everything else refused."""

import http.client
import json
import socket
import threading

import pytest

import pellucid as pc
from pellucid.studies import human
from study_world import simple


class Client:
    """A page's requests, with anything about them changed."""

    def __init__(self, server):
        self.server = server

    def ask(self, method, path, body=None, **changed):
        line = http.client.HTTPConnection("127.0.0.1", self.server.server_address[1], timeout=10)
        usual = {"Content-Type": "application/json", "X-Study-Token": self.server.token} if method == "POST" else {}
        changed = {name.replace("_", "-"): value for name, value in changed.items()}
        headers = {name: value for name, value in (usual | changed).items() if value is not None}
        line.request(method, path, body if isinstance(body, bytes | None) else json.dumps(body), headers)
        reply = line.getresponse()
        text = reply.read().decode()
        line.close()
        return reply.status, (json.loads(text) if text.startswith("{") else text), reply.headers

    def sit(self):
        status, seat, _ = self.ask("POST", "/seat", {"consent": True})
        assert status == 200
        return seat

    def line(self, seat, position=0, **changed):
        study = self.server.register.study
        plan = study.plan[seat["seat"]]
        item = study.items[plan.order[position]]
        condition = study.condition(seat["seat"], item.id)
        return {
            "schema": 1,
            "study": study.id,
            **seat,
            "consent": True,
            "condition": condition,
            "position": position,
            "item": item.id,
            "answer": ["yes"],
            "seconds": 3.5,
            "away": 0,
            **changed,
        }


@pytest.fixture
def client(tmp_path):
    with running(simple(seats=3), tmp_path / "answers.jsonl") as server:
        yield Client(server)


class running:
    def __init__(self, study, file, **options):
        self.server = human.serve(study, file, port=0, **options)

    def __enter__(self):
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()
        return self.server

    def __exit__(self, *_):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


def test_it_listens_on_this_machine_only(client):
    assert client.server.server_address[0] == "127.0.0.1" and client.server.url.startswith("http://127.0.0.1:")


def test_the_page_is_served_with_its_token_and_strict_headers(client):
    status, page, headers = client.ask("GET", "/")
    assert status == 200 and client.server.token in page and page.startswith("<!doctype html>")
    assert headers["X-Content-Type-Options"] == "nosniff" and headers["Cache-Control"] == "no-store"
    assert headers["Content-Security-Policy"] == "frame-ancestors 'none'" and headers["Server"].strip() == "pellucid"


def test_answers_are_appended_in_order_and_read_back(client):
    first, second = client.sit(), client.sit()
    assert (first["seat"], second["seat"]) == (0, 1) and first["participant"] != second["participant"]
    for seat, position in ((first, 0), (second, 0), (first, 1)):
        assert client.ask("POST", "/answer", client.line(seat, position))[:2] == (200, {"stored": True})
    read = human.read(client.server.register.study, client.server.register.file)
    assert [(line["seat"], line["position"]) for line in read.lines] == [(0, 0), (1, 0), (0, 1)]


def test_the_same_answer_again_is_stored_once(client):
    line = client.line(client.sit())
    assert client.ask("POST", "/answer", line)[0] == client.ask("POST", "/answer", {**line, "answer": ["no"]})[0] == 200
    assert len(client.server.register.file.read_text().splitlines()) == 1


def test_seats_run_out_but_those_that_nobody_answered_from_are_given_again(client):
    seats = [client.sit() for _ in range(3)]
    client.ask("POST", "/answer", client.line(seats[0]))
    client.ask("POST", "/answer", client.line(seats[2]))
    again = client.sit()
    assert again["seat"] == 1 and again["participant"] != seats[1]["participant"]
    client.ask("POST", "/answer", client.line(again))
    status, told, _ = client.ask("POST", "/seat", {"consent": True})
    assert status == 409 and "all its participants" in told["error"]


def test_a_new_run_goes_on_with_the_file(tmp_path):
    study, file = simple(seats=3), tmp_path / "answers.jsonl"
    with running(study, file) as server:
        client = Client(server)
        seat = client.sit()
        client.ask("POST", "/answer", client.line(seat))
    with running(study, file) as server:
        client = Client(server)
        assert client.sit()["seat"] == 1
        assert client.ask("POST", "/answer", client.line(seat, 1))[0] == 200
    assert len(file.read_text().splitlines()) == 2
    with pytest.raises(pc.InputError, match="another study"):
        human.serve(simple(seed=1), file, port=0)


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"Host": "evil.example"}, 421),
        ({"Host": "127.0.0.1"}, 421),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"X_Study_Token": "guess"}, 403),
        ({"X_Study_Token": None}, 403),
        ({"Content_Type": "text/plain"}, 415),
        ({"Content_Type": "application/x-www-form-urlencoded"}, 415),
    ],
)
def test_requests_of_other_sites_are_refused(client, change, status):
    assert client.ask("POST", "/seat", {"consent": True}, **change)[0] == status
    assert client.server.register.next_seat == 0


def test_the_servers_own_page_may_post(client):
    port = client.server.server_address[1]
    for host in (f"127.0.0.1:{port}", f"localhost:{port}"):
        assert client.ask("POST", "/seat", {"consent": True}, Host=host, Origin=f"http://{host}")[0] == 200


def test_a_web_server_in_front_is_known_by_its_name(tmp_path):
    with running(simple(), tmp_path / "answers.jsonl", hosts=("study.example.org",)) as server:
        asked = Client(server).ask(
            "POST", "/seat", {"consent": True}, Host="study.example.org", Origin="https://study.example.org"
        )
        assert asked[0] == 200


@pytest.mark.parametrize(
    "path", ["/answers.jsonl", "/../answers.jsonl", "/?", "/seat", "/%2e%2e/etc/passwd", "/study.json"]
)
def test_no_other_path_leads_anywhere(client, path):
    assert client.ask("GET", path)[0] == 404 and client.ask("POST", path + "x", {})[0] == 404


NO_CONSENT = [b"", b"{", b"\xff\xfe", b"[" * 5000, b"null", b"[]", b'{"consent": false}', b'{"consent": true, "a": 1}']


@pytest.mark.parametrize("body", NO_CONSENT)
def test_what_is_no_consent_gets_no_seat(client, body):
    assert client.ask("POST", "/seat", body)[0] == 400 and client.server.register.next_seat == 0


@pytest.mark.parametrize(
    "change",
    [
        {"answer": ["maybe"]},
        {"answer": []},
        {"answer": ["yes", "no"]},
        {"answer": "yes"},
        {"answer": [["yes"]]},
        {"item": "ghost"},
        {"item": ["1"]},
        {"condition": "another"},
        {"seat": 2},
        {"seat": -1},
        {"seat": True},
        {"position": 99},
        {"position": 1.0},
        {"participant": "../../etc/passwd"},
        {"participant": "0" * 16},
        {"consent": 1},
        {"schema": 2},
        {"study": "x"},
        {"seconds": -1},
        {"seconds": float("nan")},
        {"seconds": 1e300},
        {"away": "0"},
        {"name": "Jane Doe"},
    ],
)
def test_an_answer_that_does_not_fit_the_study_is_not_stored(client, change):
    line = client.line(client.sit())
    assert client.ask("POST", "/answer", {**line, **change})[0] in (400, 403)
    assert not client.server.register.file.exists()


def test_large_and_endless_requests_are_refused(client):
    assert client.ask("POST", "/answer", b" " * (16 * 1024 + 1))[0] == 413
    for length, status in (("9" * 400, 413), ("-1", 411), ("1e3", 411), (None, 411)):
        head = f"POST /answer HTTP/1.1\r\nHost: 127.0.0.1:{client.server.server_address[1]}\r\nContent-Type: application/json\r\n"
        head += (
            f"X-Study-Token: {client.server.token}\r\n" + (f"Content-Length: {length}\r\n" if length else "") + "\r\n"
        )
        with socket.create_connection(client.server.server_address, timeout=10) as raw:
            raw.sendall(head.encode())
            assert raw.recv(100).split()[1] == str(status).encode()


def test_a_file_that_cannot_be_written_is_told_and_the_answer_may_be_sent_again(client):
    line, file = client.line(client.sit()), client.server.register.file
    file.mkdir()
    status, told, _ = client.ask("POST", "/answer", line)
    assert status == 500 and "could not be stored" in told["error"]
    file.rmdir()
    assert client.ask("POST", "/answer", line)[0] == 200 and len(file.read_text().splitlines()) == 1


def test_a_page_that_hangs_up_is_no_error(client, capfd):
    with socket.create_connection(client.server.server_address, timeout=10) as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # closing resets the connection
        raw.sendall(b"GET / HTTP/1.1\r\n")
    assert client.ask("GET", "/")[0] == 200
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "HEAD"])
def test_other_methods_are_not_known(client, method):
    assert client.ask(method, "/")[0] == 501


def test_answers_at_once_are_whole_lines(tmp_path):
    study = simple(12, seats=8)
    with running(study, tmp_path / "answers.jsonl") as server:
        client = Client(server)
        seats = [client.sit() for _ in range(8)]

        def take_part(seat):
            for position in range(12):
                client.ask("POST", "/answer", client.line(seat, position))

        threads = [threading.Thread(target=take_part, args=(seat,)) for seat in seats]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(human.read(study, tmp_path / "answers.jsonl").lines) == 96


def test_a_port_in_use_is_an_error_with_a_remedy(client, tmp_path):
    with pytest.raises(pc.InputError, match="give another one"):
        human.serve(simple(), tmp_path / "a.jsonl", port=client.server.server_address[1])
