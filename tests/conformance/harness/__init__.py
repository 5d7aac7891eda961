"""Run NumPy's own tests with ndbytes in NumPy's place, and judge the outcome.

NumPy ships its tests in the wheel, so they are the one description of its behaviour that nobody
here wrote. Nothing of them is copied: they are read, rewritten in memory and run where they lie.
"""
