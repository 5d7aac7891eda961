"""HDF5 reads our Blosc chunks by its plugin, without compressing them again."""

import h5py
import hdf5plugin
import numpy as np
import pytest

import ndbytes as nb


@pytest.mark.parametrize("codec", ["auto", "fast", "small", "lz4-9-bitshuffle", "zlib-1"])
@pytest.mark.parametrize("dtype", ["<f4", ">f8", "<i8", "u1", "<c16"])
def test_chunks_are_written_as_they_are(tmp_path, codec, dtype):
    value = np.random.default_rng(3).standard_normal((300, 70)).cumsum(0).astype(dtype)
    nb.save(tmp_path / "a.ndb", value, codec=codec, chunks=(90, 70))
    frame = nb.open(tmp_path / "a.ndb")
    if frame.family != "blosc":
        pytest.skip("pco has no filter of HDF5")
    data = (tmp_path / "a.ndb").read_bytes()
    with h5py.File(tmp_path / "a.h5", "w") as file:
        options = hdf5plugin.Blosc()
        dataset = file.create_dataset("a", value.shape, value.dtype, chunks=frame.chunks, **options)
        for chunk in frame.chunk_info():
            # Without the checksum at its end.
            payload = data[chunk.offset : chunk.offset + chunk.nbytes - 4]
            dataset.id.write_direct_chunk(chunk.start, payload)
    with h5py.File(tmp_path / "a.h5") as file:
        assert file["a"].id.get_storage_size() < value.nbytes * 1.01 + 100
        assert np.array_equal(file["a"][...], value)
