"""From a trained net to answers: batching, windows, decoding, scoring, calibration. Side by side with `training/`."""
