"""Pictures of a benchmark and of a trained model, drawn with matplotlib, and the report that holds them all."""
