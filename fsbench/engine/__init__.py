"""The engine: devices, backbones, training, and one trial from arrays to predictions."""
