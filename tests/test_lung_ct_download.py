"""Downloads get through cut connections, are checked, go on where they stopped, and unpack nothing that could do harm."""

import collections
import io
import shutil
import stat
import zipfile

import numpy as np
import pytest
from click.testing import CliRunner

from lung_world import paths, phantom
from nbia_server import serving, zipped
from pellucid.cli.app import app
from pellucid.core.errors import InputError
from pellucid.studies import lung_ct
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


def test_manifests(tmp_path):
    path = tmp_path / "list.tcia"
    path.write_text(f"downloadServerUrl=https://example.org\nnoOfrRetry=4\nListOfSeriesToDownload=\n{A}\n{B}\n{A}\n\n")
    assert lung_ct.read_manifest(path) == [A, B]
    for text, why in (("nothing", "no manifest"), (f"ListOfSeriesToDownload=\n{A}\n../../x\n", "no UIDs")):
        path.write_text(text)
        with pytest.raises(InputError, match=why):
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
