"""Images: patches of pixels, what their edges reach, a net of our own or a ViT-MAE."""
