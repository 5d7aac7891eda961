"""NumPy's own functions, kept from before anybody puts ours in their place."""

from numpy import frombuffer, fromfile, fromstring, load, save, savez, savez_compressed

__all__ = ["frombuffer", "fromfile", "fromstring", "load", "save", "savez", "savez_compressed"]
