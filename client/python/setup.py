"""Makes the wheel out of what CMake has built.

    HEAPD_BUILD=build/release pip wheel --no-build-isolation client/python

The extension is CMake's, against the stable ABI, so one wheel serves Python 3.11 and later. The daemon goes into the
wheel, too, for heapd.start().
"""
import os
import shutil
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from wheel.bdist_wheel import bdist_wheel

HERE = Path(__file__).resolve().parent
BUILD = Path(os.environ.get("HEAPD_BUILD", HERE.parent.parent / "build" / "release")).resolve()


class TakeBuilt(build_ext):
    """Puts CMake's extension and daemon where setuptools would have put its own."""

    def build_extension(self, ext: Extension) -> None:
        target = Path(self.get_ext_fullpath(ext.name))
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(BUILD / "python" / "heapd" / "_heapd.abi3.so", target)
        (target.parent / "bin").mkdir(exist_ok=True)
        shutil.copy2(BUILD / "bin" / "heapd", target.parent / "bin" / "heapd")


class StableWheel(bdist_wheel):
    def finalize_options(self) -> None:
        self.py_limited_api = "cp311"
        super().finalize_options()


setup(ext_modules=[Extension("heapd._heapd", [], py_limited_api=True)],
      cmdclass={"build_ext": TakeBuilt, "bdist_wheel": StableWheel})
