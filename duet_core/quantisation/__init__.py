"""From a float32 bundle to one in float16 or int8: what is converted, what it costs in accuracy, and whether that is
little enough to be written. Needs onnx, never torch."""
