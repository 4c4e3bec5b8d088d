# Writes the .npy samples beside this file, with NumPy: python3 make_npy.py
#
# Element i of every array is i % 5, so a test knows what it must find.
import os
import numpy as np

here = os.path.dirname(os.path.abspath(__file__))


def counting(shape, dtype):
    n = int(np.prod(shape, dtype=np.int64))
    return (np.arange(n) % 5).astype(dtype).reshape(shape)


def save(name, array, version=(1, 0)):
    with open(os.path.join(here, name + ".npy"), "wb") as file:
        np.lib.format.write_array(file, array, version=version)


for code in ["f4", "f8", "f2", "i1", "u1", "i2", "i4", "i8", "u2", "?"]:
    name = {"?": "b1"}.get(code, code)
    save(name + "_c", counting((2, 3, 4), code))
    save(name + "_fortran", np.asfortranarray(counting((2, 3, 4), code)))
save("scalar", counting((), "f4"))
save("vector", counting((7,), "f8"))
save("empty", counting((2, 0, 3), "i4"))
save("rank8", counting((1, 2, 1, 2, 1, 2, 1, 2), "i2"))
save("version2", counting((2, 3), "f4"), version=(2, 0))
save("version3", counting((2, 3), "f4"), version=(3, 0))
save("big_endian", counting((2, 3), ">f4"))
save("complex", counting((2, 3), "c8"))
save("text", np.array(["a", "bc"]))
save("record", np.zeros(2, dtype=[("a", "f4"), ("b", "i4")]))
save("object", np.array([None, 1], dtype=object))
