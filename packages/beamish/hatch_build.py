"""Compiles the native core when beamish is built or installed.

``BEAMISH_NATIVE=0`` leaves it out. An editable installation has it only with ``BEAMISH_NATIVE=1``:
it would lie in the checkout, where ``native/compile.py`` puts and removes it.
"""

import os
import runpy
import shutil
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class NativeCore(BuildHookInterface):  # type: ignore[type-arg]
    """Adds the native core to a wheel or an editable installation; without it, both are pure."""

    PLUGIN_NAME = "custom"
    _folder: str | None = None

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile the core, if it is wanted; never fail the build."""
        editable = version == "editable"
        if os.environ.get("BEAMISH_NATIVE", "0" if editable else "1") in ("", "0"):
            return
        compiler = runpy.run_path(str(Path(self.root) / "native" / "compile.py"))
        try:
            if editable:
                compiler["compile_core"]()
                return
            self._folder = tempfile.mkdtemp(prefix="beamish-")
            module = compiler["compile_core"](Path(self._folder))
        except compiler["NotCompiledError"] as error:
            self.app.display_warning(f"beamish: no native core, pure Python is used: {error}")
            return
        build_data["pure_python"] = False
        build_data["infer_tag"] = True
        build_data["force_include"][str(module)] = f"beamish/_native/{module.name}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove what was compiled; it is in the wheel."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
