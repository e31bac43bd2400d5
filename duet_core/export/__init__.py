"""From a trained model to a bundle: the language side folded into constants, parity shown, files checked."""

from duet_core.export.bundle_writer import export_bundle
from duet_core.export.limits import ExportError

__all__ = ["ExportError", "export_bundle"]
