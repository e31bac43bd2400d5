"""The DUET model: vision encoder, language model, cross-modal layers and how they are built."""
