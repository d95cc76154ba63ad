"""Readers' files: what they say, who agrees with whom, and what no file may do."""

import csv
import json
import tarfile
from collections import Counter, defaultdict

import numpy as np
import pydicom
import pytest

from lung_world import phantom
from pellucid.studies import lung_ct
from pellucid.studies.lung_ct.annotations import NODULE, OTHER, SMALL

PAGE = """<?xml version="1.0" encoding="UTF-8"?>
<LidcReadMessage xmlns="http://www.nih.gov"><ResponseHeader><SeriesInstanceUid>1.2.3</SeriesInstanceUid></ResponseHeader>
{}</LidcReadMessage>"""


def roi(points, z=0.0, inclusion="TRUE"):
    edges = "".join(f"<edgeMap><xCoord>{x}</xCoord><yCoord>{y}</yCoord></edgeMap>" for x, y in points)
    return (
        f"<roi><imageZposition>{z}</imageZposition><imageSOP_UID>9.{z}</imageSOP_UID>"
        f"<inclusion>{inclusion}</inclusion>{edges}</roi>"
    )


def square(x, y, side):
    """The line just outside of a square of `side` pixels whose first is (x, y)"""
    low, across = -1, range(-1, side)
    ring = [(i, low) for i in across] + [(side, i) for i in across]
    ring += [(side - 1 - i, side) for i in across] + [(low, side - 1 - i) for i in across]
    return [(x + i, y + j) for i, j in ring]


def nodule(name, *rois, malignancy=3):
    marks = f"<characteristics><malignancy>{malignancy}</malignancy></characteristics>"
    return f"<unblindedReadNodule><noduleID>{name}</noduleID>{marks}{''.join(rois)}</unblindedReadNodule>"


def parsed(tmp_path, *sessions):
    body = "".join(f"<readingSession>{marks}</readingSession>" for marks in sessions)
    (tmp_path / "reading.xml").write_text(PAGE.format(body))
    return lung_ct.parse(tmp_path / "reading.xml")


def test_an_outline_runs_outside_of_the_nodule(tmp_path):
    reading = parsed(tmp_path, nodule("a", roi(square(10, 20, 4))))
    pixels = reading.marks[0].outlines[0].pixels
    assert sorted(map(tuple, pixels.tolist())) == [(x, y) for x in range(10, 14) for y in range(20, 24)]


def test_a_hole_is_taken_out_and_slices_are_kept_apart(tmp_path):
    hole = roi(square(11, 21, 2), inclusion="FALSE")
    (mark,) = parsed(tmp_path, nodule("a", roi(square(10, 20, 4)), hole, roi(square(10, 20, 3), z=2.5))).marks
    assert len(mark.cells) == 16 - 4 + 9


def test_the_three_kinds_of_marks(tmp_path):
    other = (
        "<nonNodule><nonNoduleID>n</nonNoduleID><imageZposition>1.5</imageZposition><imageSOP_UID>9</imageSOP_UID>"
        "<locus><xCoord>5</xCoord><yCoord>6</yCoord></locus></nonNodule>"
    )
    small = f"<unblindedReadNodule><noduleID>s</noduleID>{roi([(3, 4)])}</unblindedReadNodule>"
    reading = parsed(
        tmp_path, nodule("a", roi(square(0, 5, 3)).replace("-1", "0"), malignancy=4) + small + other, small
    )
    assert [(m.reader, m.id, m.kind) for m in reading.marks] == [
        (0, "a", NODULE),
        (0, "s", SMALL),
        (0, "n", OTHER),
        (1, "s", SMALL),
    ]
    assert reading.readers == 2 and reading.series == "1.2.3" and reading.modality == "CT"
    assert reading.marks[0].ratings == {"malignancy": 4} and reading.marks[2].outlines[0].height == 1.5
    assert reading.marks[1].outlines[0].pixels.tolist() == [[3, 4]]


def sizes(reading):
    return sorted(tuple(sorted((m.reader, m.id) for m in n.marks)) for n in lung_ct.match(reading))


def test_marks_that_overlap_are_one_nodule(tmp_path):
    a, near, far = (nodule(n, roi(square(x, 20, 4))) for n, x in (("a", 10), ("b", 13), ("c", 14)))
    assert sizes(parsed(tmp_path, a, near)) == [((0, "a"), (1, "b"))]
    assert sizes(parsed(tmp_path, a, far)) == [((0, "a"),), ((1, "c"),)]  # beside each other
    elsewhere = nodule("d", roi(square(10, 20, 4), z=2.5))
    assert sizes(parsed(tmp_path, a, elsewhere)) == [((0, "a"),), ((1, "d"),)]  # above each other


def test_agreement_goes_from_reader_to_reader(tmp_path):
    chain = [nodule(str(i), roi(square(10 + 3 * i, 20, 4))) for i in range(4)]
    (one,) = lung_ct.match(parsed(tmp_path, *chain))
    assert one.readers == 4 and one.malignancy == 3.0


def test_two_nodules_of_one_reader_stay_two(tmp_path):
    left, right = nodule("l", roi(square(10, 20, 4))), nodule("r", roi(square(16, 20, 5)))
    both = nodule("w", roi(square(10, 20, 11)))
    assert sizes(parsed(tmp_path, left + right, both)) == [((0, "l"),), ((0, "r"), (1, "w"))]  # the larger overlap wins


def test_malignancy_is_a_mean_over_readers(tmp_path):
    marks = [nodule("a", roi(square(10, 20, 4)), malignancy=m) for m in (2, 5, 5)]
    (one,) = lung_ct.match(parsed(tmp_path, *marks))
    assert one.malignancy == 4.0


@pytest.mark.parametrize(
    "text",
    [
        "no XML",
        "<other/>",
        '<!DOCTYPE a [<!ENTITY x "y">]><LidcReadMessage/>',
        '<!DOCTYPE a SYSTEM "file:///etc/passwd"><LidcReadMessage/>',
        "<LidcReadMessage/>",
        PAGE.format("<readingSession><unblindedReadNodule/></readingSession>"),
        PAGE.format(f"<readingSession>{nodule('a', roi([(-3, 4)]))}</readingSession>"),
        PAGE.format(f"<readingSession>{nodule('a', roi([('x', 4)]))}</readingSession>"),
        PAGE.format(f"<readingSession>{nodule('a', roi([(4, 4)], z='high'))}</readingSession>"),
        PAGE.format(f"<readingSession>{nodule('a', roi([(4, 4)], z='nan'))}</readingSession>"),
        PAGE.format(f"<readingSession>{nodule('a', roi([(4, 4)], z='-1e9'))}</readingSession>"),
        PAGE.format(
            f"<readingSession>{nodule('a', roi([(4, 4096)]))}</readingSession>"
        ),  # outlines a gigabyte of pixels
        PAGE.format(f"<readingSession>{nodule('a', roi(()))}</readingSession>"),
        PAGE.format(f"<readingSession>{nodule('a', roi([(4, 4)]), malignancy=7)}</readingSession>"),
        PAGE.format(f"<readingSession>{nodule('a', roi([(4, 4)]), malignancy=-1)}</readingSession>"),
        PAGE.format(f"<readingSession>{nodule('a', roi([(4, 4)])) * 5001}</readingSession>"),
        '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><LidcReadMessage>&x;</LidcReadMessage>',
        '<!DOCTYPE a [<!ENTITY % x SYSTEM "http://127.0.0.1:9/x">%x;]><LidcReadMessage/>',
        PAGE.format("<readingSession>")[:-20],
        "\0",
        PAGE.format("").replace("1.2.3", ""),
    ],
)
def test_files_that_are_none_or_could_do_harm_are_refused(tmp_path, text):
    (tmp_path / "bad.xml").write_text(text)
    with pytest.raises(lung_ct.Refused) as error:
        lung_ct.parse(tmp_path / "bad.xml")
    assert error.value.reason == "not XML"


def test_a_file_that_is_too_large_is_not_read_and_a_folder_is_no_file(tmp_path):
    with (tmp_path / "large.xml").open("wb") as file:
        file.truncate((20 << 20) + 1)  # a hole: nothing is written
    with pytest.raises(lung_ct.Refused, match="too large"):
        lung_ct.parse(tmp_path / "large.xml")
    with pytest.raises(lung_ct.Refused, match="not XML"):
        lung_ct.parse(tmp_path)


def test_what_is_at_the_edge_of_possible_parses(tmp_path):
    far = nodule("a", roi([(0, 4095), (4095, 0)], z=-10000), malignancy=0)
    (mark,) = parsed(tmp_path, far).marks
    assert mark.outlines[0].height == -10000 and mark.ratings == {"malignancy": 0}
    assert np.isnan(lung_ct.match(parsed(tmp_path, far))[0].malignancy)  # 0: nobody rated it
    assert len(mark.cells) == 2  # a line without an inside is itself


def test_a_mark_of_holes_alone_is_nothing(tmp_path):
    hole, whole = nodule("a", roi(square(10, 20, 4), inclusion="FALSE")), nodule("b", roi(square(10, 20, 4)))
    filled = nodule("c", roi(square(10, 20, 3)), roi(square(9, 19, 6), inclusion="FALSE"))
    assert sizes(parsed(tmp_path, hole, whole, filled)) == [((1, "b"),)]


def test_an_expansion_bomb_is_refused_at_once(tmp_path):
    layers = "".join(f'<!ENTITY l{i + 1} "{f"&l{i};" * 10}">' for i in range(9))
    (tmp_path / "bomb.xml").write_text(
        f'<!DOCTYPE x [<!ENTITY l0 "ha">{layers}]><LidcReadMessage>&l9;</LidcReadMessage>'
    )
    with pytest.raises(lung_ct.Refused, match="not XML"):
        lung_ct.parse(tmp_path / "bomb.xml")


@pytest.mark.parametrize("patient", [1, 2])
def test_readers_of_a_phantom_agree_as_the_phantom_says(patient):
    truth = json.loads((phantom() / "phantom.json").read_text())[patient - 1]
    reading = lung_ct.parse(phantom() / "xml" / f"{patient:04d}.xml")
    found = lung_ct.match(reading)
    assert reading.series == truth["series"] and reading.readers == 4
    assert [sorted(m.reader for m in n.marks) for n in found] == [
        n["seen"] for n in sorted(truth["nodules"], key=_first)
    ]
    assert {m.kind for m in reading.marks} == {NODULE, SMALL, OTHER}


def _first(one):
    """Nodules come in the order of the first reader who marks them, as the file does."""
    return one["seen"][0]


def test_outlines_of_a_phantom_are_its_nodules():
    """The voxels inside of a mark, in mm^3, are the reader's ellipsoid: within its 0.9 to 1.15 of the true radii."""
    (series,) = lung_ct.find(phantom() / "dicom/PHANTOM-0001", lung_ct.Tally())
    scan = lung_ct.read(series, lung_ct.Tally())
    made = lung_ct.chest(1)
    voxel = np.abs(np.linalg.det(scan.affine[:3, :3]))
    marks = [m for m in lung_ct.parse(phantom() / "xml/0001.xml").marks if m.kind == NODULE]
    for mark in marks:
        one = made.nodules[int(mark.id.split("-")[1])]
        ratio = len(mark.cells) * voxel / (4 / 3 * np.pi * np.prod(one.radii))
        assert 0.9**3 * 0.8 < ratio < 1.15**3 * 1.2
        assert {line.sop for line in mark.outlines} <= set(scan.sops)
        for line in mark.outlines:
            assert line.height == pytest.approx(scan.heights[scan.sops.index(line.sop)], abs=1e-3)


# Series whose number of nodules in the table of counts is not that of overlaps: ours, theirs.
COUNTED = {
    "LIDC-IDRI-0101": (2, 1),
    "LIDC-IDRI-0249": (3, 2),
    "LIDC-IDRI-0436": (3, 2),
    "LIDC-IDRI-0491": (10, 9),
    "LIDC-IDRI-0867": (2, 3),
    "LIDC-IDRI-0909": (3, 2),
}
# Patients in whose nodules the archive's list joins marks of one reader that overlap the same mark of another
JOINED = {55, 60, 92, 137, 204, 249, 252, 332, 366, 404, 436, 608, 815, 863, 865, 942}
# Patients of whom the list leaves out a mark that overlaps the others
LEFT_OUT = {305, 340, 447}


@pytest.fixture(scope="module")
def lidc(data_dir, tmp_path_factory):
    """What all 1,318 files say, in their order"""
    folder = tmp_path_factory.mktemp("lidc")
    with tarfile.open(data_dir / "lidc_xml" / "tcia-lidc-xml.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    return [lung_ct.parse(path) for path in sorted(folder.rglob("*.xml"))]


@pytest.fixture(scope="module")
def nodules(lidc, data_dir):
    """Patient -> the nodules of each of the CT series"""
    with (data_dir / "lidc_xml" / "LIDC-IDRI_MetaData.csv").open() as file:
        whose = {row["Series UID"]: row["Patient Id"] for row in csv.DictReader(file) if row["Modality"] == "CT"}
    found = defaultdict(list)
    for series, reading in {one.series: one for one in lidc if one.modality == "CT"}.items():
        found[whose[series]].append(lung_ct.match(reading))
    return found


@pytest.mark.realdata
@pytest.mark.slow
def test_the_whole_of_lidc(lidc, nodules, data_dir):
    """All 1,318 files parse, and nodules are as many as counted, series by series, but for six."""
    openpyxl = pytest.importorskip("openpyxl")
    kinds = Counter(reading.modality for reading in lidc)
    marks = Counter(mark.kind for reading in lidc if reading.modality == "CT" for mark in reading.marks)
    assert kinds == {"CT": 1035, "CXR": 283} and sum(map(len, nodules.values())) == 1018
    assert marks[NODULE] + marks[SMALL] == 20362 and marks[OTHER] == 21787
    sheet = openpyxl.load_workbook(data_dir / "lidc_xml" / "lidc-idri_nodule_counts-6-23-2015.xlsx").active
    counted = defaultdict(list)
    for patient, _, large, *_ in sheet.iter_rows(min_row=2, values_only=True):
        if str(patient).startswith("LIDC"):
            counted[patient].append(int(large))
    assert sum(map(len, counted.values())) == 1018 and sum(map(sum, counted.values())) == 2669
    ours = {patient: [len(found) for found in scans] for patient, scans in nodules.items()}
    other = {p: (ours[p][0], many[0]) for p, many in counted.items() if sorted(ours[p]) != sorted(many)}
    assert other == COUNTED


@pytest.mark.realdata
@pytest.mark.slow
def test_the_nodules_of_lidc_hold_the_marks_that_the_archive_lists(nodules, data_dir):
    """The list names the marks of each nodule: ours are these, but for the patients above, whose difference is of two kinds."""
    listed = defaultdict(Counter)
    with (data_dir / "lidc_xml" / "nodule_list3.2.csv").open() as file:
        for row in list(csv.reader(file))[1:]:
            if row[1].strip():
                listed[int(row[1])][tuple(sorted(_plain(name) for name in row[10:] if name.strip()))] += 1
    same, joined, left_out = 0, set(), set()
    for patient, theirs in listed.items():
        found = [nodule for scan in nodules[f"LIDC-IDRI-{patient:04d}"] for nodule in scan]
        ours = Counter(tuple(sorted(_plain(mark.id) for mark in nodule.marks)) for nodule in found)
        same += (ours & theirs).total()
        if ours != theirs:
            together = sorted(sum((ours - theirs).elements(), ())) == sorted(sum((theirs - ours).elements(), ()))
            (joined if together else left_out).add(patient)
    assert sum(theirs.total() for theirs in listed.values()) == 2635 and same == 2616
    assert joined == JOINED and left_out == LEFT_OUT
    one = {int(patient[-4:]) for patient in COUNTED} - JOINED  # in these the table of counts contradicts the list
    assert one == {101, 491, 867, 909}


def _plain(name):
    """The list writes numbers without the zeros in front of them."""
    return name.strip().lstrip("0") or "0"


@pytest.mark.realdata
def test_the_first_patient(data_dir):
    """The slice and the reading are of one series; the slice has no outline; all four readers outlined one nodule."""
    reading = lung_ct.parse(data_dir / "lidc_xml" / "069_LIDC-IDRI-0001.xml")
    data = pydicom.dcmread(data_dir / "lidc_xml" / "LIDC-IDRI-0001_slice80.dcm")
    assert reading.series == data.SeriesInstanceUID
    assert all(line.sop != data.SOPInstanceUID for mark in reading.marks for line in mark.outlines)
    (one,) = lung_ct.match(reading)
    assert one.readers == 4 and [m.ratings["malignancy"] for m in one.marks] == [5, 5, 5, 4]
    # the published volume of this nodule is 6,459.75 mm^3, at 0.703125 x 0.703125 x 2.5 mm
    volumes = [len(m.cells) * 0.703125**2 * 2.5 for m in one.marks]
    assert np.median(volumes) == pytest.approx(6459.75, rel=0.15)
