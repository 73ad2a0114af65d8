"""Compiles the native core when beamish is built or installed with ``BEAMISH_NATIVE=1``."""

import os
import runpy
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class NativeCore(BuildHookInterface):  # type: ignore[type-arg]
    """Adds the native core to a wheel or an editable installation; without it, both are pure."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile the core, if it is wanted; never fail the build."""
        if os.environ.get("BEAMISH_NATIVE", "0") in ("", "0"):
            return
        compiler = runpy.run_path(str(Path(self.root) / "native" / "compile.py"))
        try:
            module = compiler["compile_core"]()
        except compiler["NotCompiledError"] as error:
            self.app.display_warning(f"beamish: no native core, pure Python is used: {error}")
            return
        build_data["pure_python"] = False
        build_data["infer_tag"] = True
        build_data["artifacts"].append(str(module.relative_to(self.root)))
