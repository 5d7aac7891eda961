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


CODECS = ["zlib", "gzip", "deflate", "zstd", "lz4"]
every_codec = pytest.mark.parametrize("codec", CODECS)
every_deflate = pytest.mark.parametrize("codec", CODECS[:3])


@every_deflate
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
    default = {"zstd": 3, "lz4": 1}.get(codec, 6)
    assert nb.compress(DATA, codec) == nb.compress(bytearray(DATA), codec, default)


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


@pytest.mark.parametrize("codec", ["zlib", "gzip", "zstd", "lz4"])
def test_every_flipped_byte_is_noticed(codec):
    stream = bytearray(nb.compress(DATA[:2000], codec))
    for at in range(len(stream)):
        stream[at] ^= 0x55
        try:
            # Name, time and system in the head of a gzip stream are nobody's data.
            assert nb.decompress(stream, codec) == DATA[:2000]
            # zstd may be told to take more memory than it needs.
            assert codec == "gzip" and at < 10 or codec == "zstd" and at < 6
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
        for codec in ("zlib", "gzip", "zstd", "lz4"):
            with pytest.raises(nb.FormatError) as caught:
                nb.decompress(junk, codec)
            assert caught.value.code == "codec.corrupt"
    for call in (nb.compress, nb.decompress):
        with pytest.raises(nb.ArgumentError, match="lzo"):
            call(b"", "lzo")
    wrong = {"zlib": [10], "gzip": [100], "zstd": [0, 20], "lz4": [0, 2]}
    for codec, level in ((codec, level) for codec in wrong for level in wrong[codec]):
        with pytest.raises(nb.ArgumentError, match=codec):
            nb.compress(b"", codec, level)
    with pytest.raises((nb.ArgumentError, OverflowError)):
        nb.compress(b"", "zlib", -1)


def frames_of_others():
    """Yield (codec, data, stream) as the stock packages write them."""
    zstandard = pytest.importorskip("zstandard")
    frame = pytest.importorskip("lz4.frame")
    noise = np.random.default_rng(1).integers(0, 256, 300_000, "u1").tobytes()
    for data in (b"", b"x", DATA, noise, DATA * 20 + noise + DATA):
        for level in (-5, 1, 3, 9, 19, 22):
            for checksum in (False, True):
                options = {"write_checksum": checksum, "write_content_size": not checksum}
                encoder = zstandard.ZstdCompressor(level=level, **options)
                yield "zstd", data, encoder.compress(data)
                streaming = encoder.compressobj()
                yield "zstd", data, streaming.compress(data) + streaming.flush()
        for size in (4, 5, 6, 7):
            for linked in (False, True):
                for checksums in range(4):
                    stream = frame.compress(
                        data,
                        block_size=size,
                        block_linked=linked,
                        content_checksum=bool(checksums & 1),
                        block_checksum=bool(checksums & 2),
                        compression_level=checksums * 4,
                        store_size=linked,
                    )
                    yield "lz4", data, stream


def test_zstd_and_lz4_frames_of_stock_tools_are_read():
    count = 0
    for codec, data, stream in frames_of_others():
        assert nb.decompress(stream, codec) == data
        assert nb.decompress(stream * 3, codec) == data * 3
        count += 1
    assert count > 200


def test_stock_tools_read_our_zstd_and_lz4():
    zstandard = pytest.importorskip("zstandard")
    frame = pytest.importorskip("lz4.frame")
    noise = np.random.default_rng(1).integers(0, 256, 3_000_000, "u1").tobytes()
    for data in (b"", b"x", DATA, noise, DATA * 50):
        for level in (1, 3, 12, 19):
            stream = nb.compress(data, "zstd", level)
            assert zstandard.get_frame_parameters(stream).has_checksum
            assert zstandard.ZstdDecompressor().decompressobj().decompress(stream) == data
        stream = nb.compress(data, "lz4")
        assert frame.get_frame_info(stream)["content_checksum"]
        assert frame.get_frame_info(stream)["content_size"] == len(data)
        assert frame.decompress(stream) == data


def test_a_zstd_window_over_128_mib_is_refused():
    zstandard = pytest.importorskip("zstandard")
    parameters = zstandard.ZstdCompressionParameters.from_level(3, window_log=28)
    encoder = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    stream = encoder.compress(DATA) + encoder.flush()
    with pytest.raises(nb.LimitError, match="128 MiB"):
        nb.decompress(stream, "zstd")


def test_what_a_stream_says_of_its_length_need_not_be_right():
    small, large = b"some words\n", DATA * 3
    for first, last in ((small, large), (large, small), (large, large), (b"", large), (large, b"")):
        for codec in ("gzip", "zstd", "lz4"):
            stream = nb.compress(first, codec) + nb.compress(last, codec)
            assert nb.decompress(stream, codec) == first + last
            for cap in (len(first), len(last), len(first + last) - 1):
                if cap < len(first + last):
                    with pytest.raises(nb.LimitError):
                        nb.decompress(stream, codec, max_bytes=cap)
    # What gzip says of its length is compared with what came out, as ever.
    stream = bytearray(nb.compress(DATA, "gzip"))
    for length in (0, len(DATA) - 1, len(DATA) + 1, 2**32 - 1):
        stream[-4:] = length.to_bytes(4, "little")
        with pytest.raises(nb.FormatError) as caught:
            nb.decompress(bytes(stream), "gzip")
        assert caught.value.code == "codec.corrupt"
    # A zstd frame of one byte that claims 4 EiB in one segment.
    bomb = b"\x28\xb5\x2f\xfd\xe0" + (2**62).to_bytes(8, "little") + b"\x09\x00\x00x"
    with pytest.raises((nb.LimitError, nb.FormatError)):
        nb.decompress(bomb, "zstd")
    # An LZ4 frame that claims as much.
    bomb = b"\x04\x22\x4d\x18\x68\x40" + (2**62).to_bytes(8, "little")
    with pytest.raises(nb.FormatError):
        nb.decompress(bomb + bytes(40), "lz4")
