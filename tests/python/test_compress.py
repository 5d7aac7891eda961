"""Standard compressed streams, made and read by others too."""

import bz2
import gzip
import io
import subprocess
import zlib

import numpy as np
import pytest

import ndbytes as nb
from arrays import layouts

DATA = (np.arange(20_000) // 7).astype("i4").tobytes()


def inflate(data, codec):
    """Decompress by the standard library."""
    return zlib.decompress(data, {"zlib": 15, "gzip": 31, "deflate": -15}[codec])


def deflate(data, codec, level=6):
    """Compress by the standard library."""
    bits = {"zlib": 15, "gzip": 31, "deflate": -15}[codec]
    encoder = zlib.compressobj(level, zlib.DEFLATED, bits)
    return encoder.compress(data) + encoder.flush()


every_codec = pytest.mark.parametrize("codec", ["zlib", "gzip", "deflate"])


@every_codec
@pytest.mark.parametrize("level", range(10))
def test_the_standard_library_reads_ours_and_we_read_its(codec, level):
    for data in (b"", b"x", DATA):
        ours = nb.compress(data, codec, level)
        assert inflate(ours, codec) == data
        assert nb.decompress(ours, codec) == data
        assert nb.decompress(deflate(data, codec, level), codec) == data
    if level:
        assert len(nb.compress(DATA, codec, level)) < len(DATA) / 3


def test_the_gzip_program_reads_ours_and_we_read_its():
    try:
        done = subprocess.run(
            ["gzip", "-dc"],
            input=nb.compress(DATA, "gzip"),
            capture_output=True,
            check=True,
            timeout=30,
        )
    except FileNotFoundError:
        pytest.skip("there is no gzip")
    assert done.stdout == DATA
    done = subprocess.run(["gzip", "-c"], input=DATA, capture_output=True, check=True, timeout=30)
    assert nb.decompress(done.stdout, "gzip") == DATA


def test_several_gzip_members_are_one_stream():
    assert nb.decompress(gzip.compress(b"a") + gzip.compress(b"b"), "gzip") == b"ab"
    assert gzip.decompress(nb.compress(b"a", "gzip") + nb.compress(b"b", "gzip")) == b"ab"


def test_gzip_with_a_name_and_a_time_is_read():
    sink = io.BytesIO()
    with gzip.GzipFile("a_name", "wb", 6, sink, 123456.0) as file:
        file.write(DATA)
    assert nb.decompress(sink.getvalue(), "gzip") == DATA


@every_codec
def test_arrays_of_any_layout_are_compressed_in_c_order(codec):
    for name in ("f8", ">i2", "M8[s]", "U3"):
        for label, array in layouts(np.dtype(name)):
            assert nb.decompress(nb.compress(array, codec, 1), codec) == array.tobytes(), label


def test_anything_with_a_buffer_is_compressed():
    for data in (b"abc", bytearray(b"abc"), memoryview(b"xabc")[1:], np.frombuffer(b"abc", "u1")):
        assert zlib.decompress(nb.compress(data)) == b"abc"
        assert nb.decompress(memoryview(nb.compress(data))) == b"abc"
    for wrong in (None, 5, "text"):
        with pytest.raises((TypeError, ValueError, AttributeError)):
            nb.compress(wrong)


@every_codec
def test_the_bytes_depend_on_data_and_level_alone(codec):
    assert nb.compress(DATA, codec) == nb.compress(bytearray(DATA), codec, 6)


@every_codec
def test_a_stream_cut_at_any_byte_is_truncated(codec):
    stream = nb.compress(DATA[:2000], codec)
    for cut in range(len(stream)):
        with pytest.raises((nb.TruncatedError, nb.FormatError)) as caught:
            nb.decompress(stream[:cut], codec)
        if cut > 20:
            assert isinstance(caught.value, nb.TruncatedError)
            assert caught.value.code == "codec.truncated"


@every_codec
def test_bytes_after_a_stream_are_refused(codec):
    # Zeros after gzip are padding, to gunzip too.
    for rest in (b"more", b"x") + ((b"\0", bytes(100)) if codec != "gzip" else ()):
        with pytest.raises((nb.MismatchError, nb.FormatError)):
            nb.decompress(nb.compress(DATA, codec) + rest, codec)


@pytest.mark.parametrize("codec", ["zlib", "gzip"])
def test_every_flipped_byte_is_noticed(codec):
    stream = bytearray(nb.compress(DATA[:2000], codec))
    for at in range(len(stream)):
        stream[at] ^= 0x55
        try:
            # Name, time and system in the head of a gzip stream are nobody's data.
            assert nb.decompress(stream, codec) == DATA[:2000]
            assert codec == "gzip"
            assert at < 10
        except nb.NdbytesError:
            pass
        stream[at] ^= 0x55


@every_codec
def test_the_cap_is_exact(codec):
    stream = nb.compress(DATA, codec)
    assert nb.decompress(stream, codec, max_bytes=len(DATA)) == DATA
    assert nb.decompress(stream, codec, max_bytes=None) == DATA
    for cap in (0, 1, len(DATA) - 1):
        with pytest.raises(nb.LimitError) as caught:
            nb.decompress(stream, codec, max_bytes=cap)
        assert caught.value.code == "limit.decompressed"


def test_a_bomb_is_stopped_before_it_grows():
    bomb = zlib.compress(bytes(50_000_000), 9)
    with pytest.raises(nb.LimitError):
        nb.decompress(bomb, max_bytes=1_000_000)


def test_what_is_no_stream_is_refused():
    for junk in (b"hello, world", bz2.compress(DATA), b"\x93NUMPY", bytes(100)):
        for codec in ("zlib", "gzip"):
            with pytest.raises(nb.FormatError) as caught:
                nb.decompress(junk, codec)
            assert caught.value.code == "codec.corrupt"
    for call in (nb.compress, nb.decompress):
        with pytest.raises(nb.ArgumentError, match="lzo"):
            call(b"", "lzo")
    for level in (10, 100):
        with pytest.raises(nb.ArgumentError):
            nb.compress(b"", "zlib", level)
    with pytest.raises((nb.ArgumentError, OverflowError)):
        nb.compress(b"", "zlib", -1)
