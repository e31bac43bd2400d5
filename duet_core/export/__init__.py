"""From a trained model to a bundle: the language side folded into constants, parity shown, files checked."""

from duet_core.export.bundle_writer import ExportError, export_bundle

__all__ = ["ExportError", "export_bundle"]
