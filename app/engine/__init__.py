"""From the bytes of a photo to v and the state: admission, decoding, inference, memory of images. No HTTP."""
