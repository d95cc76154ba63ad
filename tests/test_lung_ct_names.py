"""No name gets anywhere: canaries in every element, file name and reading, and none in any output of any step."""

import logging
import re
import warnings
import xml.etree.ElementTree as ET

import numpy as np
import pandas as pd
import pydicom
import pytest
from click.testing import CliRunner

from lung_world import change, copied, paths, phantom
from nbia_server import serving, zipped
from pellucid.cli.app import app
from pellucid.studies import lung_ct
from pellucid.studies.lung_ct import headers

NAME, NUMBER = "CANARY", "9988776655"
SECRET = re.compile(f"{NAME}|{NUMBER}", re.IGNORECASE)
# what decides whether and how a slice is read, or holds numbers
KEPT = {"Modality", "ImageType", "PhotometricInterpretation", "RescaleType", "PatientPosition"}
TEXT = {"AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UT"}
MORE = ("InstitutionName", "PatientAddress", "PatientComments", "StudyDescription", "SeriesDescription", "StationName")


def marked(path, patient):
    """A slice whose every text says a canary, and whose identifiers are made of one"""
    data = pydicom.dcmread(path)
    with pydicom.config.disable_value_validation():
        for name in MORE:
            setattr(data, name, NAME)
        for element in data:
            if element.keyword in KEPT:
                continue
            if element.VR in TEXT:
                element.value = f"{NAME}^{patient}"
            elif element.VR == "UI" and element.keyword != "SOPClassUID":
                element.value = f"1.2.{NUMBER}.{str(element.value)[-30:].replace('.', '')}"
        block = data.private_block(0x11, NAME, create=True)
        block.add_new(1, "LO", NAME)
        data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
        data.save_as(path)


def marked_reading(source, path):
    """The reading of a series whose identifiers were made canaries, with more of them where readers and nodules have names"""
    tree = ET.parse(source)
    for element in tree.iter():
        kind = element.tag.rpartition("}")[2]
        if kind in ("SeriesInstanceUid", "imageSOP_UID"):
            element.text = f"1.2.{NUMBER}.{element.text[-30:].replace('.', '')}"
        elif kind in ("noduleID", "nonNoduleID", "servicingRadiologistID"):
            element.text = f"{NAME}-{element.text}"
    ET.SubElement(tree.getroot(), "PatientName").text = NAME
    tree.write(path)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Two patients to be used, and files and series of one of them that are refused for one reason each"""
    folder = tmp_path_factory.mktemp("world")
    (folder / "readings").mkdir()
    for patient in (1, 2):
        home = folder / "dicom" / f"{NAME}^{patient}"
        home.mkdir(parents=True)
        for path in copied(home, patient, slices=None):
            marked(path, patient)
            path.rename(home / f"{NAME}-{path.name}")
        marked_reading(phantom() / "xml" / f"{patient:04d}.xml", folder / "readings" / f"{NAME}{patient}.xml")
    bad(folder / "dicom" / f"{NAME}-bad")
    (folder / "readings" / f"{NAME}.xml").write_text(
        f'<!DOCTYPE {NAME} [<!ENTITY {NAME} "{NAME}">]><{NAME}>&{NAME};</{NAME}>'
    )
    (folder / "readings" / f"{NAME}-other.xml").write_text(f"<{NAME}/>")
    return folder


def bad(folder):
    """Files and series that are refused"""
    folder.mkdir()
    files = copied(folder)
    for path in files:
        marked(path, 3)
        change(path, SeriesInstanceUID=f"1.2.{NUMBER}.3")
    for i, values in enumerate(
        [
            {"Modality": NAME},
            {"ImageType": [NAME, "LOCALIZER"]},
            {"PhotometricInterpretation": NAME},
            {"RescaleType": NAME},
            {"PatientID": None},
            {"PixelSpacing": ["nan", "1"]},
            {"NumberOfFrames": 7},
            {"Rows": 9999},
        ]
    ):
        change(files[i], **values, InstanceNumber=int(NUMBER[:8]))
    files[8].write_bytes(files[8].read_bytes()[:400])
    files[9].write_bytes(NAME.encode() * 100)
    files[9].rename(files[9].with_suffix(f".{NAME}.dcm"))


def run(*arguments):
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        done = CliRunner().invoke(app, ["lung-ct", *map(str, arguments)])
    return done, f"{done.output} {done.exception!r} {[str(one.message) for one in seen]}"


def written(folder):
    """All that a step left, as text: names of files, what is in them, and the cells of tables"""
    for path in folder.rglob("*"):
        yield str(path.relative_to(folder))
        if path.is_file():
            yield path.read_bytes().decode("latin-1")
        if path.suffix == ".parquet":
            yield pd.read_parquet(path).to_csv()


def silent(text, *folders):
    assert not SECRET.search(text), SECRET.search(text).string[:300]
    for folder in folders:
        found = [part[:80] for part in written(folder) if SECRET.search(part)]
        assert not found, found


def test_pydicoms_own_words_are_held_back_and_come_again(caplog):
    logger = logging.getLogger("pydicom")
    with headers.hushed():
        logger.warning(NAME)
        warnings.warn(NAME, stacklevel=1)
    assert not caplog.text and not logger.disabled
    with pytest.raises(KeyError), headers.hushed():
        raise KeyError
    logger.warning("words")
    assert "words" in caplog.text


def test_the_canaries_are_there(world):
    """What is looked for below could be found: it is in every slice and reading that is used."""
    slices = [path for path in (world / "dicom").rglob("*.dcm") if "bad" not in str(path)]
    assert len(slices) == len(paths(1)) + len(paths(2))
    for path in (*slices, *(world / "readings").iterdir()):
        assert SECRET.search(path.name) and SECRET.search(path.read_bytes().decode("latin-1"))
    data = pydicom.dcmread(slices[0])
    assert all(
        SECRET.search(str(data[name].value)) for name in ("PatientID", "PatientName", "SeriesInstanceUID", *MORE)
    )


def test_no_step_lets_a_name_out(world, tmp_path, caplog):
    pytest.importorskip("monai")
    source = ("--data", world / "dicom", "--readings", world / "readings")
    options = ("--size", 16, "--shares", 0.5, 0.5, 0, "--key", tmp_path / "key")
    done, said = run("prepare", *source, "--out", tmp_path / "patches", *options)
    assert done.exit_code == 0 and "2 used" in done.output, said
    assert sum(int(n) for n in re.findall(r"(\d+) x not XML", done.output)) == 2
    silent(said, tmp_path / "patches")
    common = ("--patches", tmp_path / "patches", "--device", "cpu")
    quick = ("--network", "narrow", "--epochs", 1, "--warmup", 0, "--batch", 2)
    done, said = run("train", *common, "--out", tmp_path / "network", *quick)
    assert done.exit_code == 0, said
    silent(said, tmp_path / "network")
    done, said = run(
        "evaluate", *common, "--network", tmp_path / "network", "--out", tmp_path / "results", "--split", "validation"
    )
    assert done.exit_code == 0, said
    silent(said, tmp_path / "results")
    assert len(list((tmp_path / "results").iterdir())) >= 2
    silent(caplog.text)


def test_errors_name_nobody(world, tmp_path, caplog):
    """What ends a run is told without names: nothing usable, readings alone, a series of which no file speaks"""
    cases = [(world / "dicom" / f"{NAME}-bad", world / "readings"), (world / "dicom" / f"{NAME}^1", phantom() / "xml")]
    for i, (data, readings) in enumerate(cases):
        done, said = run(
            "prepare", "--data", data, "--readings", readings, "--out", tmp_path / str(i), "--key", tmp_path / "key"
        )
        assert done.exit_code == 1 and "no series could be used" in done.output
        silent(said, tmp_path / str(i))
    tally = lung_ct.Tally()
    found = lung_ct.find(world / "dicom", tally)
    told = [repr(found), *(repr(one.slices[0]) for one in found), repr(tally)]
    for series in found:
        try:
            scan = lung_ct.read(series, tally)
        except lung_ct.Refused as error:
            told.append(repr(error))
        else:
            told.append(np.array2string(scan.affine))
    silent(" ".join([*told, *tally.lines(), caplog.text]))
    assert len(tally.refused) >= 9


def test_downloads_name_nobody(tmp_path, caplog):
    """Series that arrive, that are not there, whose archives are damaged, and names of files inside of archives"""
    good, broken, gone = (f"1.2.{NUMBER}.{i}" for i in range(3))
    files = {f"{NAME}/{NAME}^{i}.dcm": f"{i}".encode() for i in range(2)}
    archive = zipped(files)
    with serving({good: ("P", archive, 100, 2), broken: ("P", archive[:100], 100, 2)}) as server:
        (tmp_path / "list.tcia").write_text(f"ListOfSeriesToDownload=\n{good}\n{broken}\n{gone}\n")
        options = ("--server", server.url, "--out", tmp_path / "out", "--key", tmp_path / "key", "--tries", 1)
        done, said = run("download", "--manifest", tmp_path / "list.tcia", *options)
    assert done.exit_code == 1 and "1 used, 2 refused" in done.output
    silent(said + caplog.text, tmp_path / "out")
