"""Downloads get through cut connections, are checked, go on where they stopped, and unpack nothing that could do harm."""

import collections
import contextlib
import datetime
import email.utils
import errno
import io
import pickle
import shutil
import stat
import threading
import types
import warnings
import zipfile

import numpy as np
import pytest
from click.testing import CliRunner

from lung_world import paths, phantom
from nbia_server import serving, zipped
from pellucid.cli.app import app
from pellucid.core.errors import InputError
from pellucid.studies import lung_ct
from pellucid.studies.lung_ct import archive as archives
from pellucid.studies.lung_ct import nbia
from pellucid.studies.lung_ct.archive import unpack

KEY = lung_ct.Pseudonyms(bytes(32))
WAITS = []
QUICK = lung_ct.Patience(tries=6, wait=1.0, sleep=WAITS.append)
A, B = "1.2.3.4", "1.2.3.5"


def entry(files, patient="P1", hashes=True):
    return (patient, zipped(files, hashes), sum(map(len, files.values())), len(files))


def noise(seed, size=200_000):
    return np.random.default_rng(seed).integers(0, 256, size, np.uint8).tobytes()


SERIES = {A: entry({"1-01.dcm": noise(0), "1-02.dcm": noise(1)}), B: entry({"1-01.dcm": noise(2)}, "P2")}


def got(server, folder, uids=(A, B), **more):
    return lung_ct.download(lung_ct.Server(server.url), uids, folder, KEY, patience=QUICK, **more)


def contents(folder, uid):
    return [path.read_bytes() for path in sorted((folder / KEY.scan(uid)).iterdir())]


@pytest.mark.parametrize(("cuts", "ranges"), [(0, True), (3, True), (3, False)])
def test_series_arrive_whole_however_often_the_connection_is_cut(tmp_path, cuts, ranges):
    heard = []
    WAITS.clear()
    with serving(SERIES, cuts=cuts, ranges=ranges) as server:
        tally = got(server, tmp_path / "out", heard=lambda more, total: heard.append((more, total)))
    assert tally.used == 2 and not tally.refused
    assert contents(tmp_path / "out", A) == [noise(0), noise(1)] and contents(tmp_path / "out", B) == [noise(2)]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(map(KEY.scan, (A, B)))
    assert heard[0][1] == 600_000 and sorted(WAITS) == sorted([1.0, 2.0, 4.0][:cuts] * 2)
    resumed = [asked for asked in server.asked if asked[2]]
    assert bool(resumed) == bool(cuts)
    whole = sum(len(series[1]) for series in SERIES.values())
    if ranges:
        assert server.sent == whole  # nothing is sent twice where the server knows how
    else:
        assert server.sent > 2 * whole


def test_what_is_there_is_not_asked_for_again(tmp_path):
    with serving(SERIES, cuts=10, after=0.3) as server:
        tally = got(server, tmp_path, (A,))
    assert tally.counts == {"connection cut": 1} and tally.refused[0][0] == KEY.scan(A)
    assert [path.name for path in tmp_path.iterdir()] == [f".{KEY.scan(A)}.zip"]  # what came is kept
    with serving(SERIES) as server:
        assert got(server, tmp_path).used == 2
        first = next(asked for asked in server.asked if asked[0] == "getImageWithMD5Hash" and asked[1] == A)
        assert first[2] is not None  # gone on with
        server.asked.clear()
        again = got(server, tmp_path)
    assert not server.asked and again.notes == {"series that were there": 2}


def test_series_on_disk_are_not_asked_for(tmp_path):
    uid = next(iter(lung_ct.find(phantom() / "dicom/PHANTOM-0001", lung_ct.Tally()))).uid
    with serving(SERIES) as server:
        tally = got(server, tmp_path, (uid, A), have=phantom())
    assert tally.used == 1 and {asked[1] for asked in server.asked} == {A}


def test_one_bad_series_does_not_stop_the_others(tmp_path):
    wrong = zipped({"1-01.dcm": noise(5)}).replace(noise(5)[:100], noise(6)[:100])
    few = ("P", zipped({"1-01.dcm": noise(7)}, hashes=False), 200_000, 2)  # two files were announced
    with serving(SERIES | {"1.9": ("P", wrong, 200_000, 1), "1.7": few}) as server:
        tally = got(server, tmp_path, ("1.9", "1.8", "1.7", A))
    assert tally.used == 1 and tally.counts == {"damaged archive": 2, "not on the server": 1}
    assert [path.name for path in tmp_path.iterdir()] == [KEY.scan(A)]


def test_a_stale_half_is_thrown_away(tmp_path):
    """What an earlier run left may belong to an older archive: it fails its check, and is got once more, whole."""
    (tmp_path / f".{KEY.scan(A)}.zip").write_bytes(b"x" * 1000)
    with serving(SERIES) as server:
        assert got(server, tmp_path, (A,)).used == 1
    assert contents(tmp_path, A) == [noise(0), noise(1)]


def test_an_archive_that_is_whole_already_is_not_sent_again(tmp_path):
    (tmp_path / f".{KEY.scan(A)}.zip").write_bytes(SERIES[A][1])
    with serving(SERIES) as server:
        assert got(server, tmp_path, (A,)).used == 1 and server.sent == 0


def test_room_is_looked_for_first(tmp_path, monkeypatch):
    usage = collections.namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage(0, 0, 1_000_000))
    with serving(SERIES) as server, pytest.raises(InputError, match="GB are free"):
        got(server, tmp_path)
    assert not any(asked[0] == "getImageWithMD5Hash" for asked in server.asked)


def written(path, *entries):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return path


@pytest.mark.parametrize("name", ["../out.dcm", "/etc/out.dcm", "a/../../out.dcm", "..\\out.dcm", "C:\\out.dcm"])
def test_names_that_lead_elsewhere_refuse_the_archive(tmp_path, name):
    path = written(tmp_path / "bad.zip", ("ok.dcm", b"1"), (name, b"2"))
    with pytest.raises(lung_ct.Refused, match="unsafe archive"):
        unpack(path, tmp_path / "open", 100)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bad.zip"]


def test_links_bombs_and_lies_refuse_the_archive(tmp_path):
    link = zipfile.ZipInfo("link.dcm")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    cases = [written(tmp_path / "link.zip", (link, "/etc/passwd"))]
    cases += [written(tmp_path / "bomb.zip", ("a.dcm", bytes(40 << 20)))]
    cases += [written(tmp_path / "many.zip", *((f"{i}.dcm", b"") for i in range(20_001)))]
    lie = bytearray(cases[1].read_bytes())
    for place in (lie.find(b"PK\x03\x04") + 22, lie.find(b"PK\x01\x02") + 24):
        lie[place : place + 4] = (1000).to_bytes(4, "little")  # the header says 1,000 bytes come out
    cases += [tmp_path / "lie.zip"]
    cases[-1].write_bytes(lie)
    for path in cases:
        with pytest.raises(lung_ct.Refused, match=r"unsafe archive|damaged archive"):
            unpack(path, tmp_path / path.stem, 1000)
        written_bytes = sum(p.stat().st_size for p in tmp_path.rglob("*.dcm"))
        assert written_bytes < 17 << 20


def test_checksums_cover_every_file(tmp_path):
    def case(name, change):
        content = io.BytesIO(zipped({"1.dcm": b"one", "2.dcm": b"two"}))
        with zipfile.ZipFile(content) as archive:
            files = {n: archive.read(n) for n in archive.namelist()}
        change(files)
        return written(tmp_path / name, *files.items())

    assert unpack(case("good.zip", lambda files: None), tmp_path / "good", 100) == 2
    for name, change in (
        ("more.zip", lambda files: files.update({"3.dcm": b"three"})),
        ("less.zip", lambda files: files.pop("2.dcm")),
        ("other.zip", lambda files: files.update({"2.dcm": b"TWO"})),
    ):
        with pytest.raises(lung_ct.Refused, match="damaged archive"):
            unpack(case(name, change), tmp_path / name[:-4], 100)
    (tmp_path / "none.zip").write_bytes(b"no archive")
    with pytest.raises(lung_ct.Refused, match="damaged archive"):
        unpack(tmp_path / "none.zip", tmp_path / "none", 100)


def headed(handler, **headers):
    handler.send_response(200)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()


@pytest.mark.parametrize("answer", [(503, {"Retry-After": "7"}), (429, {"Retry-After": "3"}), (500, {}), (502, {})])
def test_a_busy_server_is_asked_again_after_the_time_it_names(tmp_path, answer):
    WAITS.clear()
    with serving(SERIES) as server:
        server.busy = [answer] * 3
        assert got(server, tmp_path, (A,)).used == 1
    asked = float(answer[1].get("Retry-After", 0))
    assert [max(asked, wait) for wait in (1.0, 2.0, 4.0)] == WAITS


def test_a_time_to_wait_may_be_a_date_and_is_believed_up_to_ten_minutes(tmp_path):
    def error(text):
        return types.SimpleNamespace(headers={"Retry-After": text})

    soon = email.utils.format_datetime(datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=90))
    assert 80 < nbia.asked_to_wait(error(soon)) <= 90
    past = email.utils.format_datetime(datetime.datetime(2001, 1, 1, tzinfo=datetime.UTC))
    assert [nbia.asked_to_wait(error(text)) for text in (past, "soon", "-3", "", "5")] == [0, 0, 0, 0, 5]
    assert nbia.asked_to_wait(ConnectionError()) == 0
    WAITS.clear()
    with serving(SERIES) as server:
        server.busy = [(503, {"Retry-After": "86400"})]
        assert got(server, tmp_path, (A,)).used == 1
    assert WAITS == [600.0]


@pytest.mark.parametrize("code", [400, 401, 403, 404, 410])
def test_an_answer_that_stays_is_not_asked_for_again(tmp_path, code):
    WAITS.clear()
    with serving(SERIES) as server:
        server.busy = [(code, {})]
        tally = got(server, tmp_path, (A, B), workers=1)
    assert tally.used == 1 and tally.counts == {"not on the server": 1} and not WAITS
    assert tally.refused[0][2] == f"it answers {code}"


@pytest.mark.parametrize(
    "size",
    [b"[]", b"{}", b"<html>", b"[" * 100_000, b'[{"TotalSizeInBytes": "inf", "ObjectCount": "1"}]', b'["a"]', b""]
    + [
        f'[{{"TotalSizeInBytes": "{size}", "ObjectCount": "{files}"}}]'.encode()
        for size, files in ((-5, 1), (0, 1), ("nan", 1), (1 << 40, 1), (5, 0), (5, 20_001))
    ],
)
def test_sizes_that_cannot_be_refuse_the_series_alone(tmp_path, size):
    with serving(SERIES) as server:
        server.said["getSeriesSize"] = size
        tally = got(server, tmp_path, (A,))
        assert tally.counts == {"not on the server": 1} and not list(tmp_path.iterdir())
        server.said.clear()
        assert got(server, tmp_path, (A,)).used == 1


def test_more_data_than_announced_is_cut_off_and_thrown_away(tmp_path, monkeypatch):
    monkeypatch.setattr(nbia, "_SLACK", 50_000)

    def endless(handler):
        headed(handler)  # no length: until the connection ends
        with contextlib.suppress(OSError):
            while True:
                handler.wfile.write(bytes(65_536))

    def longer(handler):  # a length that lies: what lies behind it is not read
        headed(handler, Content_Length=len(SERIES[B][1]))
        with contextlib.suppress(OSError):
            handler.wfile.write(SERIES[B][1] + bytes(1 << 20))

    with serving(SERIES) as server:
        server.odd = {A: endless, B: longer}
        heard = []
        tally = got(server, tmp_path, heard=lambda more, total: heard.append(more))
    assert tally.used == 1 and tally.counts == {"unsafe archive": 1} and contents(tmp_path, B) == [noise(2)]
    assert sum(heard) <= 600_000 + 50_000 + 3 * 1024 + 1000
    assert [path.name for path in tmp_path.iterdir()] == [KEY.scan(B)]


def test_a_length_that_is_no_number_and_parts_without_a_length_are_read_to_their_end(tmp_path):
    def chunked(handler):
        headed(handler, Transfer_Encoding="chunked")
        content = SERIES[A][1]
        for part in (content[:1000], content[1000:], b""):
            handler.wfile.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")

    def unnumbered(handler):
        headed(handler, Content_Length="many")
        handler.wfile.write(SERIES[B][1])

    def cut(handler):
        headed(handler, Transfer_Encoding="chunked")
        handler.wfile.write(b"ffff\r\n" + SERIES[A][1][:100])

    with serving(SERIES) as server:
        server.odd = {A: chunked, B: unnumbered}
        assert got(server, tmp_path / "whole").used == 2
        server.odd = {A: cut}
        tally = got(server, tmp_path / "cut", (A,))
    assert tally.counts == {"connection cut": 1}
    assert (tmp_path / "cut" / f".{KEY.scan(A)}.zip").stat().st_size == 100  # each try began anew: nothing was added up


@pytest.mark.parametrize("every", [None, 0.02])
def test_a_server_that_stops_or_trickles_is_given_up(tmp_path, every):
    """One that says nothing, and one that sends a byte now and then so that no timeout of a socket would ever end it."""
    over = threading.Event()

    def slow(handler):
        headed(handler, Content_Length=len(SERIES[A][1]))
        with contextlib.suppress(OSError):
            while not over.wait(every):
                handler.wfile.write(b"x")

    with serving(SERIES) as server:
        server.odd = {A: slow}
        patience = lung_ct.Patience(2, 0.0, WAITS.append)
        quick = lung_ct.Server(server.url, timeout=0.2)
        tally = lung_ct.download(quick, (A, B), tmp_path, KEY, patience=patience)
        over.set()
    assert tally.used == 1 and tally.counts == {"connection cut": 1}


@pytest.mark.parametrize("to", ["file:///etc/passwd", "ftp://127.0.0.1/x", "data:,x"])
def test_a_server_that_leads_on_to_something_else_than_a_web_address_leads_nowhere(tmp_path, to):
    with serving(SERIES) as server:
        server.busy = [(302, {"Location": to})] * 20
        tally = lung_ct.download(lung_ct.Server(server.url), (A,), tmp_path, KEY, patience=lung_ct.Patience(1))
    assert tally.counts == {"connection cut": 1} and not list(tmp_path.iterdir())


def test_a_web_address_that_moved_is_followed(tmp_path):
    with serving(SERIES) as server:
        server.busy = [(302, {"Location": f"{server.url}/getSeriesSize?SeriesInstanceUID={A}&format=json"})]
        assert got(server, tmp_path, (A,), workers=1).used == 1


def test_a_full_disk_is_told_as_such_and_nothing_is_thrown_away(tmp_path, monkeypatch):
    def full(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device", "/home/somebody/secret")

    with serving(SERIES) as server:
        monkeypatch.setattr(archives, "_write", full)
        tally = got(server, tmp_path, (A,))
        assert tally.refused == [(KEY.scan(A), "not written", "ENOSPC")]
        assert [path.name for path in tmp_path.iterdir()] == [f".{KEY.scan(A)}.zip"]
        monkeypatch.undo()
        server.sent = 0
        assert got(server, tmp_path, (A,)).used == 1 and server.sent == 0
        monkeypatch.setattr(nbia.Server, "_receive", full)
        WAITS.clear()
        assert got(server, tmp_path / "other", (B,)).refused == [(KEY.scan(B), "not written", "ENOSPC")] and not WAITS


def test_a_series_that_is_asked_for_twice_is_got_once(tmp_path):
    with serving(SERIES) as server:
        assert got(server, tmp_path, (A, A, B, A)).used == 2
    assert collections.Counter(asked[0] for asked in server.asked) == {"getSeriesSize": 2, "getImageWithMD5Hash": 2}


def test_series_come_side_by_side(tmp_path):
    """Three workers have three archives open at one time: each waits for the others to have been asked for."""
    series = {f"1.2.{i}": entry({"1.dcm": noise(i, 1000)}) for i in range(3)}
    together = threading.Barrier(3, timeout=20)

    def waiting(uid):
        def answer(handler):
            together.wait()
            headed(handler, Content_Length=len(series[uid][1]))
            handler.wfile.write(series[uid][1])

        return answer

    with serving(series) as server:
        server.odd = {uid: waiting(uid) for uid in series}
        assert got(server, tmp_path, tuple(series), workers=3).used == 3


def test_patients_are_listed_with_patience(tmp_path):
    with serving(SERIES) as server:
        server.busy = [(503, {})] * 2
        WAITS.clear()
        assert lung_ct.listed(lung_ct.Server(server.url), "LIDC-IDRI", ["P1", "P2", "P3"], QUICK) == [A, B]
        assert WAITS == [1.0, 2.0]
        server.said["getSeries"] = (
            b'[{"SeriesInstanceUID": "../../x"}, {"Other": 1}, "1.2.3", {"SeriesInstanceUID": "1.2.9"}]'
        )
        assert lung_ct.Server(server.url).series("LIDC-IDRI") == ["1.2.9"]
        server.said["getSeries"] = b"<html>a page</html>"
        with pytest.raises(InputError, match="does not speak the protocol"):
            lung_ct.Server(server.url).series("LIDC-IDRI")
        server.busy = [(503, {})] * 9
        with pytest.raises(InputError, match="does not list the series"):
            lung_ct.listed(lung_ct.Server(server.url), "LIDC-IDRI", ["P1"], QUICK)


def spoilt_zip(path, how):
    """Archives that damaged or malicious servers could send"""
    files = [("1.dcm", bytes(range(256)) * 40), ("2.dcm", b"two")]
    match how:
        case "two of one name":
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return written(
                    path, *files, ("1.dcm", b"another"), ("md5hashes.csv", "Filename,MD5Hash\n1.dcm,x\n2.dcm,y\n")
                )
        case "encrypted":
            content = bytearray(written(path, *files).read_bytes())
            for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
                content[content.find(mark) + place] |= 1
        case "a damaged stream":
            content = bytearray(written(path, *files).read_bytes())
            start = content.find(b"1.dcm") + 5
            content[start : start + 30] = b"\xff" * 30
        case "a kind of compression that nobody knows":
            content = bytearray(written(path, *files).read_bytes())
            for mark, place in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
                content[content.find(mark) + place] = 77
        case "checksums that are no table":
            return written(path, *files, ("md5hashes.csv", 'a,b\n"' + "x" * 200_000))
        case "checksums that are no text":
            return written(path, *files, ("md5hashes.csv", b"\xff\xfe\x00\x80"))
        case "a directory that points elsewhere":
            content = bytearray(written(path, *files).read_bytes())
            end = content.find(b"PK\x05\x06")
            content[end + 16 : end + 20] = (1 << 31).to_bytes(4, "little")
        case "half of it":
            content = written(path, *files).read_bytes()
            content = content[: len(content) // 2]
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    "how",
    [
        "two of one name",
        "encrypted",
        "a damaged stream",
        "a kind of compression that nobody knows",
        "checksums that are no table",
        "checksums that are no text",
        "a directory that points elsewhere",
        "half of it",
    ],
)
def test_archives_that_are_none_are_refused_by_name(tmp_path, how):
    path = spoilt_zip(tmp_path / "bad.zip", how)
    with pytest.raises(lung_ct.Refused) as error:
        unpack(path, tmp_path / "open", 20_000)
    assert error.value.reason == ("unsafe archive" if how == "encrypted" else "damaged archive")
    again = pickle.loads(pickle.dumps(error.value))  # as from one process to another
    assert (str(again), again.reason, again.detail) == (str(error.value), error.value.reason, error.value.detail)


def test_names_and_other_files_of_an_archive_get_nowhere(tmp_path):
    """Files get numbers; what is no picture is left in the archive, and folders are left out."""
    path = written(
        tmp_path / "a.zip", ("PAT^NAME/b.DCM", b"b"), ("PAT^NAME/", b""), ("LICENSE", b"words"), ("a.dcm", b"a")
    )
    assert unpack(path, tmp_path / "open", 100) == 2
    assert {p.name: p.read_bytes() for p in (tmp_path / "open").iterdir()} == {"00001.dcm": b"b", "00002.dcm": b"a"}


def test_an_archive_that_says_it_is_whole_before_it_was_begun_is_no_answer(tmp_path):
    with serving(SERIES) as server:
        server.odd = {A: lambda handler: handler.send_error(416)}
        assert got(server, tmp_path, (A,)).counts == {"connection cut": 1}


def test_manifests(tmp_path):
    path = tmp_path / "list.tcia"
    path.write_text(f"downloadServerUrl=https://example.org\nnoOfrRetry=4\nListOfSeriesToDownload=\n{A}\n{B}\n{A}\n\n")
    assert lung_ct.read_manifest(path) == [A, B]
    for text, why in (("nothing", "no manifest"), (f"ListOfSeriesToDownload=\n{A}\n../../x\n", "no UIDs")):
        path.write_text(text)
        with pytest.raises(InputError, match=why):
            lung_ct.read_manifest(path)
    with pytest.raises(InputError, match="there is no file 'none"):
        lung_ct.read_manifest(tmp_path / "none.tcia")
    path.write_text("ListOfSeriesToDownload=\n1." + "2" * 62)  # 64 characters are the most that a UID may have
    assert len(lung_ct.read_manifest(path)) == 1
    path.write_text("ListOfSeriesToDownload=\n1." + "2" * 63)
    with pytest.raises(InputError, match="lists 1 series"):
        lung_ct.read_manifest(path)
    with pytest.raises(InputError, match="no server"):
        lung_ct.Server("file:///etc")


def test_from_the_archive_to_patches_on_the_command_line(tmp_path):
    """A patient's real DICOM series by HTTP, with cuts, becomes patches."""
    uid = next(iter(lung_ct.find(phantom() / "dicom/PHANTOM-0001", lung_ct.Tally()))).uid
    files = {f"1-{i:03d}.dcm": path.read_bytes() for i, path in enumerate(paths(1))}
    out, key = tmp_path / "dicom", tmp_path / "key"
    with serving({uid: entry(files, "PHANTOM-0001")}, cuts=1) as server:
        common = ["--server", server.url, "--out", str(out), "--key", str(key)]
        done = CliRunner().invoke(app, ["lung-ct", "download", "--patient", "PHANTOM-0001", *common])
        assert done.exit_code == 0 and "1 used, 0 refused" in done.output, done.output
        gone = CliRunner().invoke(app, ["lung-ct", "download", "--patient", "nobody", *common])
        assert "0 used" in gone.output
        (tmp_path / "list.tcia").write_text(f"ListOfSeriesToDownload=\n{uid}\n1.9.9\n")
        some = CliRunner().invoke(app, ["lung-ct", "download", "--manifest", str(tmp_path / "list.tcia"), *common])
        assert some.exit_code == 1 and "1 series are missing" in some.output and "1.9.9" not in some.output
    options = [
        "--readings",
        str(phantom() / "xml"),
        "--out",
        str(tmp_path / "patches"),
        "--size",
        "32",
        "--key",
        str(key),
    ]
    done = CliRunner().invoke(app, ["lung-ct", "prepare", "--data", str(out), *options, "--shares", "1", "0", "0"])
    assert done.exit_code == 0 and "train:" in done.output, done.output
    assert CliRunner().invoke(app, ["lung-ct", "download", "--out", str(out)]).exit_code == 2
